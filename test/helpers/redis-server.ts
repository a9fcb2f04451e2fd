import { spawn } from 'node:child_process';
import { freePort } from './free-port.js';
import { ensureRedisServer } from './redis-binary.js';
import { stopInTheEnd } from './stopping.js';
import { type TemporaryFolder, temporaryFolder } from './temporary-folder.js';

const START_TIMEOUT_MS = 10_000;
const PORT_ATTEMPTS = 5;
const DOES_NOT_END_IT = new Set<NodeJS.Signals>(['SIGSTOP', 'SIGCONT']);

/** A Redis of one's own, which may be broken at will: nothing is persistent, and nobody else knows its port. */
export interface PrivateRedis {
  /** Stays the same over a restart, as does `port`. */
  readonly url: string;
  readonly port: number;
  /** Of the process that runs now, or ran last. */
  readonly pid: number;
  /** Ends it and removes its folder. Harmless when repeated. */
  stop(): Promise<void>;
  /** SIGKILL by default. Resolves when the process is gone; at once after SIGSTOP (it hangs) and SIGCONT. */
  kill(signal?: NodeJS.Signals): Promise<void>;
  /** Ends it if it runs, and starts it, empty, on the same port. */
  restart(): Promise<void>;
}

export interface RedisOptions {
  /** More of redis-server's command line, e.g. `['--maxclients', '5']`. */
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

/**
 * Resolves when it accepts connections. That is known from its own output: to a PING, another Redis which holds
 * the port could answer.
 */
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

/** Tries other ports where one was taken by somebody else since it was found free. */
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
 * Starts a Redis on a free port of 127.0.0.1. It is stopped at the end of the test file, if the test didn't.
 *
 * @throws with its output, where it doesn't accept connections within ten seconds.
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
    if (!DOES_NOT_END_IT.has(signal)) await current.exited;
  };
  // SIGKILL: it has nothing to save, and one that hangs (SIGSTOP) wouldn't hear anything else.
  const stop = async () => {
    stopped();
    await kill();
    await folder.clear();
  };
  const stopped = stopInTheEnd(stop);
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
