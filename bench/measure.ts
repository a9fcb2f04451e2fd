import { readFileSync } from 'node:fs';

/** Linux counts CPU time in these for all programs, whatever the kernel's own clock (USER_HZ). */
const TICKS_PER_SECOND = 100;

/** CPU time that a process has taken, all its threads, user and system, in seconds; in steps of 10 ms. */
export function cpuSeconds(pid: number): number {
  return parseProcessStat(readFileSync(`/proc/${pid}/stat`, 'latin1'));
}

/** What a process has in memory now, in bytes. */
export function residentBytes(pid: number): number {
  return parseResident(readFileSync(`/proc/${pid}/status`, 'latin1'));
}

/** By core: how long it has worked and been idle, in seconds. */
export function coreTimes(): readonly CoreTime[] {
  return parseCores(readFileSync('/proc/stat', 'latin1'));
}

export interface CoreTime {
  readonly busy: number;
  /** The part of it that was spent on interrupts: mostly the network's, on behalf of whoever sends on that core. */
  readonly interrupts: number;
  readonly idle: number;
}

/** Of /proc/PID/stat: utime and stime, the 14th and 15th field. The name before them may hold anything but its last `)`. */
export function parseProcessStat(stat: string): number {
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND;
}

export function parseResident(status: string): number {
  return Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1]) * 1024;
}

/** Of /proc/stat, its lines `cpuN user nice system idle iowait irq softirq steal …`. */
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

/** Which part of the time between two readings a core has worked, 0 to 1. */
export function busyPart(before: CoreTime | undefined, after: CoreTime | undefined): number {
  return partOf('busy', before, after);
}

/**
 * Which part of the time between two readings a core has worked for others than a process that has taken `own` of it, or was
 * taken away by the machine's host. Interrupts are nobody's.
 */
export function foreignPart(before: CoreTime | undefined, after: CoreTime | undefined, own: number): number {
  return Math.max(0, busyPart(before, after) - partOf('interrupts', before, after) - own);
}

function partOf(
  what: 'busy' | 'interrupts',
  before: CoreTime | undefined,
  after: CoreTime | undefined,
): number {
  if (!before || !after) return 0;
  const all = after.busy - before.busy + after.idle - before.idle;
  return (after[what] - before[what]) / Math.max(all, 1 / TICKS_PER_SECOND);
}
