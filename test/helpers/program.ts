import { type SpawnOptions, spawn } from 'node:child_process';
import { stopAtEnd } from './stopping.js';
import type { TemporaryFolder } from './temporary-folder.js';
import { untilListening } from './until-listening.js';

export interface ProgramOptions {
  readonly binary: string;
  readonly args: readonly string[];
  /** The port on which it listens when it is ready. */
  readonly port: number;
  /** Its files, which are removed when it has stopped. */
  readonly folder: TemporaryFolder;
  /** `SIGKILL` by default. */
  readonly stopSignal?: NodeJS.Signals;
  readonly spawn?: Omit<SpawnOptions, 'stdio'>;
}

/**
 * Starts a server of another project, and waits until it listens. It is stopped at the end of the test file at the latest.
 *
 * @returns a function that stops it.
 */
export async function startProgram(options: ProgramOptions): Promise<() => Promise<void>> {
  const { binary, args, port, folder, stopSignal = 'SIGKILL' } = options;
  const child = spawn(binary, args, { ...options.spawn, stdio: ['ignore', 'ignore', 'pipe'] });
  let errors = '';
  child.stderr?.on('data', (part) => {
    errors = `${errors}${part}`.slice(-2000);
  });
  const disown = child.pid === undefined ? () => {} : folder.owns('program', child.pid);
  const exited = new Promise<void>((resolve) => child.once('exit', () => resolve(disown())));
  const stop = async (): Promise<void> => {
    stopped();
    child.kill(stopSignal);
    await exited;
    await folder.clear();
  };
  const stopped = stopAtEnd(stop);
  await Promise.race([
    untilListening(port),
    exited.then(() => Promise.reject(new Error(`${binary} has exited: ${errors}`))),
  ]);
  return stop;
}
