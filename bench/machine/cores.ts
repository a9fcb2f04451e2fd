import { type ChildProcess, execFileSync, type SpawnOptions, spawn } from 'node:child_process';
import { availableParallelism, cpus, release, totalmem } from 'node:os';

/** The cores that processes are pinned to. */
export interface Cores {
  readonly server: number;
  /** Shared by the load, the sender, Redis and Postgres. */
  readonly load: number;
}

/**
 * Assigns the first core that this process may use to the load, and the last one to the server. Null if there is only one
 * core, or no `taskset`.
 */
export function findCores(): Cores | null {
  if (availableParallelism() < 2) return null;
  try {
    const list = execFileSync('taskset', ['-cp', String(process.pid)], { encoding: 'utf8' });
    const allowed = parseCoreList(list.slice(list.lastIndexOf(':') + 1).trim());
    const [load, server] = [allowed[0], allowed.at(-1)];
    return load === undefined || server === undefined || load === server ? null : { load, server };
  } catch {
    return null;
  }
}

/** Parses a list of cores such as `0,2-4`. */
export function parseCoreList(list: string): readonly number[] {
  return list.split(',').flatMap((range) => {
    const [first = Number.NaN, last = first] = range.split('-').map(Number);
    return Array.from({ length: last - first + 1 }, (_, index) => first + index);
  });
}

/** Pins this process, and every process that it starts from now on, to this core. */
export function pinTo(core: number): void {
  execFileSync('taskset', ['-acp', String(core), String(process.pid)], { stdio: 'ignore' });
}

/** Starts a program, Node by default, pinned to this core. */
export function spawnPinned(
  core: number | null,
  args: readonly string[],
  options: SpawnOptions,
  program = process.execPath,
): ChildProcess {
  // taskset replaces itself with the program it starts, so the process id is the program's.
  return core === null
    ? spawn(program, args, options)
    : spawn('taskset', ['-c', String(core), program, ...args], options);
}

/** Describes the machine in one line. */
export function describeMachine(): string {
  const [cpu] = cpus();
  return `${cpus().length} cores (${cpu?.model.trim() ?? 'unknown CPU'}), ${Math.round(totalmem() / 2 ** 30)} GB, ${process.platform} ${release()}, Node ${process.version}`;
}

/** Describes where the processes run, in one line. */
export function describePinning(cores: Cores | null): string {
  return cores
    ? `server under test alone on core ${cores.server}, all else on core ${cores.load}`
    : 'nothing pinned: there is no second core, or no taskset';
}
