import { spawn } from 'node:child_process';
import { freePort } from './free-port.js';
import { ensureRedisServer } from './redis-binary.js';
import { stopAtEnd } from './stopping.js';
import { type TemporaryFolder, temporaryFolder } from './temporary-folder.js';

const START_TIMEOUT_MS = 10_000;
const PORT_ATTEMPTS = 5;
const NON_FATAL_SIGNALS = new Set<NodeJS.Signals>(['SIGSTOP', 'SIGCONT']);

/** A private Redis that tests may break. It has no persistence. */
export interface PrivateRedis {
  /** Stays the same after a restart, like `port`. */
  readonly url: string;
  readonly port: number;
  /** The id of the current process, or of the last one. */
  readonly pid: number;
  /** Stops it and removes its folder. May be called repeatedly. */
  stop(): Promise<void>;
  /** Sends SIGKILL by default. Resolves when the process has exited; at once for SIGSTOP and SIGCONT. */
  kill(signal?: NodeJS.Signals): Promise<void>;
  /** Kills it if it is running, and starts an empty one on the same port. */
  restart(): Promise<void>;
}

export interface RedisOptions {
  /** Additional arguments of redis-server, e.g. `['--maxclients', '5']`. */
  args?: string[];
  port?: number;
}

interface RedisProcess {
  pid: number;
  exited: Promise<void>;
  kill(signal: NodeJS.Signals): void;
}

function commandLine(port: number, folder: TemporaryFolder, args: string[]): string[] {
  const where = ['--bind', '127.0.0.1', '--port', String(port), '--dir', folder.path];
  return [...where, '--daemonize', 'no', '--save', '', '--appendonly', 'no', ...args];
}

/** Resolves when the output says that it accepts connections: another Redis on the same port could answer a PING. */
async function launch(binary: string, args: string[], folder: TemporaryFolder): Promise<RedisProcess> {
  const child = spawn(binary, args, { argv0: 'redis-server', stdio: ['ignore', 'pipe', 'pipe'] });
  const { pid } = child;
  const disown = pid === undefined ? () => {} : folder.owns('redis', pid);
  const exited = new Promise<void>((resolve) => {
    child.once('exit', () => resolve(disown()));
    child.once('error', () => resolve(disown()));
  });

  let output = '';
  const ready = new Promise<void>((resolve) => {
    const read = (chunk: Buffer) => {
      output = (output + chunk.toString()).slice(-10_000);
      if (output.includes('Ready to accept connections')) resolve();
    };
    child.stdout.on('data', read);
    child.stderr.on('data', read);
  });
  const timer = setTimeout(() => child.kill('SIGKILL'), START_TIMEOUT_MS);
  const outcome = await Promise.race([ready.then(() => 'ready'), exited.then(() => 'exited')]);
  clearTimeout(timer);
  if (outcome === 'exited' || pid === undefined) throw new Error(`redis-server did not start:\n${output}`);
  return { pid, exited, kill: (signal) => child.kill(signal) };
}

/** Tries other ports if one was taken after it was found free. */
async function launchOnFreePort(
  start: (port: number) => Promise<RedisProcess>,
): Promise<{ port: number; first: RedisProcess }> {
  for (let attempt = 1; ; attempt++) {
    const port = await freePort();
    try {
      return { port, first: await start(port) };
    } catch (error) {
      if (attempt === PORT_ATTEMPTS || !String(error).includes('Address already in use')) throw error;
    }
  }
}

/**
 * Starts a Redis on a free port of 127.0.0.1. It is stopped at the end of the test file at the latest.
 *
 * @throws Error with its output if it does not accept connections within 10 s.
 */
export async function startRedis({ args = [], port: wanted }: RedisOptions = {}): Promise<PrivateRedis> {
  const binary = await ensureRedisServer();
  const folder = temporaryFolder('redis');
  const start = (port: number) => launch(binary, commandLine(port, folder, args), folder);
  const launched =
    wanted === undefined ? launchOnFreePort(start) : start(wanted).then((first) => ({ port: wanted, first }));
  const { port, first } = await launched.catch(async (error: unknown) => {
    await folder.clear();
    throw error;
  });

  let current = first;
  const kill = async (signal: NodeJS.Signals = 'SIGKILL') => {
    current.kill(signal);
    if (!NON_FATAL_SIGNALS.has(signal)) await current.exited;
  };
  // SIGKILL: there is nothing to save, and a paused process (SIGSTOP) ignores other signals.
  const stop = async () => {
    stopped();
    await kill();
    await folder.clear();
  };
  const stopped = stopAtEnd(stop);
  return {
    url: `redis://127.0.0.1:${port}`,
    port,
    get pid() {
      return current.pid;
    },
    stop,
    kill,
    async restart() {
      await kill();
      current = await start(port);
    },
  };
}
