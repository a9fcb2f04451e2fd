import { readFileSync } from 'node:fs';

/** The unit in which Linux reports CPU time to programs (USER_HZ), independent of the kernel's timer. */
const TICKS_PER_SECOND = 100;

/** CPU time of a process (all threads, user and system), in seconds; its resolution is 10 ms. */
export function cpuSeconds(pid: number): number {
  return parseProcessStat(readFileSync(`/proc/${pid}/stat`, 'latin1'));
}

/** Resident memory of a process, in bytes. */
export function residentBytes(pid: number): number {
  return parseResident(readFileSync(`/proc/${pid}/status`, 'latin1'));
}

/** Busy and idle time of each core since boot, in seconds. */
export function coreTimes(): readonly CoreTime[] {
  return parseCores(readFileSync('/proc/stat', 'latin1'));
}

export interface CoreTime {
  readonly busy: number;
  /** The part of `busy` that was spent on interrupts: mostly the network's, for any process that sends on that core. */
  readonly interrupts: number;
  readonly idle: number;
}

/**
 * Reads utime and stime, the 14th and 15th field of /proc/PID/stat. The process name before them may contain any character,
 * so the fields are counted from the last `)`.
 */
export function parseProcessStat(stat: string): number {
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND;
}

export function parseResident(status: string): number {
  return Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1]) * 1024;
}

/** Reads the lines `cpuN user nice system idle iowait irq softirq steal …` of /proc/stat. */
export function parseCores(stat: string): readonly CoreTime[] {
  return [...stat.matchAll(/^cpu\d+ (.*)$/gm)].map(([, line = '']) => {
    const [user = 0, nice = 0, system = 0, idle = 0, wait = 0, irq = 0, soft = 0, steal = 0] = line
      .trim()
      .split(/\s+/)
      .map(Number);
    return {
      busy: (user + nice + system + irq + soft + steal) / TICKS_PER_SECOND,
      interrupts: (irq + soft) / TICKS_PER_SECOND,
      idle: (idle + wait) / TICKS_PER_SECOND,
    };
  });
}

/** The share of the time between two readings that a core was busy, 0 to 1. */
export function busyShare(before: CoreTime | undefined, after: CoreTime | undefined): number {
  return shareOf('busy', before, after);
}

/**
 * The share of the time between two readings that a core worked for other processes than one that used the share `own`, or
 * was taken by the machine's host (stolen time). Interrupts are attributed to no process.
 */
export function foreignShare(before: CoreTime | undefined, after: CoreTime | undefined, own: number): number {
  return Math.max(0, busyShare(before, after) - shareOf('interrupts', before, after) - own);
}

function shareOf(
  what: 'busy' | 'interrupts',
  before: CoreTime | undefined,
  after: CoreTime | undefined,
): number {
  if (!before || !after) return 0;
  const all = after.busy - before.busy + after.idle - before.idle;
  return (after[what] - before[what]) / Math.max(all, 1 / TICKS_PER_SECOND);
}
