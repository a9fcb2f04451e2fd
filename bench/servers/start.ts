import { once } from 'node:events';
import { existsSync, mkdirSync } from 'node:fs';
import { connect } from 'node:net';
import { resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { freePort } from '../../test/helpers/free-port.js';
import { stopAtEnd } from '../../test/helpers/stopping.js';
import { temporaryFolder } from '../../test/helpers/temporary-folder.js';
import type { BenchContext } from '../context.js';
import { spawnPinned } from '../machine/cores.js';
import type { Target } from './targets.js';

/** A running server under test. */
export interface Server {
  readonly pid: number;
  readonly port: number;
  /** Resolves when the server has collected its garbage. */
  collectGarbage(): Promise<void>;
  /**
   * Returns the time from reading what was published to having written it to all sockets, in ms, for everything since the
   * last call.
   */
  takeWriteTimes(): Promise<readonly number[]>;
  stop(): Promise<void>;
}

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const START_TIMEOUT_MS = 20_000;
const MAX_OUTPUT_CHARS = 2000;

/**
 * Starts a server alone on its core, and resolves when it is ready. `stopAll` stops it, unless it was stopped before. If
 * profiles were requested, the server writes one to a folder of its own when it stops.
 */
export async function startServer(
  { name, script, runtime, bridge, readyPath }: Target,
  { testbed, cores, profileFolder }: Pick<BenchContext, 'testbed' | 'cores' | 'profileFolder'>,
): Promise<Server> {
  const port = await freePort();
  const env = { ...testbed.env, PORT: String(port), AUTHOR: JSON.stringify(testbed.author) };
  const profile = profileFolder === null ? null : nextFolder(profileFolder, name);
  const server = await run({ script, runtime, core: cores?.server ?? null, env, profile });
  const bridgeProcess =
    bridge === undefined ? null : await run({ script: bridge, core: null, env, profile: null });
  const stop = async (): Promise<void> => {
    stopped();
    await Promise.all([server.stop(), bridgeProcess?.stop()]);
  };
  const stopped = stopAtEnd(stop);
  const start = performance.now();
  while (!(readyPath === undefined ? await listens(port) : await isReady(port, readyPath))) {
    if (server.exited() || performance.now() - start > START_TIMEOUT_MS) {
      await stop();
      throw new Error(`${script} did not start:\n${server.recentOutput()}`);
    }
    await sleep(50);
  }
  const { pid, collectGarbage, takeWriteTimes } = server;
  return { pid, port, collectGarbage, takeWriteTimes, stop };
}

/** The first of `parent/name-1`, `parent/name-2`, … that does not exist yet. */
function nextFolder(parent: string, name: string): string {
  for (let number = 1; ; number++) {
    const folder = resolve(parent, `${name}-${number}`);
    if (!existsSync(folder)) return folder;
  }
}

interface RunOptions {
  readonly script: string;
  readonly runtime?: string | undefined;
  readonly core: number | null;
  readonly env: Readonly<Record<string, string>>;
  readonly profile: string | null;
}

async function run({ script, runtime, core, env, profile }: RunOptions) {
  if (!existsSync(`${ROOT}${script}`)) throw new Error(`${script} does not exist`);
  const folder = temporaryFolder('bench');
  const { PATH = '', HOME = '' } = process.env;
  const profiling = profile === null ? [] : ['--cpu-prof', `--cpu-prof-dir=${profile}`];
  if (profile !== null) mkdirSync(profile, { recursive: true });
  const preloaded = ['--expose-gc', '--import', `${ROOT}bench/servers/preload.mjs`];
  const args = [...(runtime === undefined ? [...profiling, ...preloaded] : []), `${ROOT}${script}`];
  const child = spawnPinned(
    core,
    args,
    { cwd: folder.path, env: { PATH, HOME, ...env }, stdio: ['ignore', 'pipe', 'pipe'] },
    runtime && `${ROOT}${runtime}`,
  );
  const { pid } = child;
  if (pid === undefined) throw (await once(child, 'error'))[0];
  const disown = folder.owns('server', pid);
  let output = '';
  /** Receives each line of output. */
  const listeners = new Set<(line: string) => void>();
  for (const stream of [child.stdout, child.stderr]) {
    if (!stream) continue;
    createInterface(stream).on('line', (line) => {
      output = `${output}${line}\n`.slice(-MAX_OUTPUT_CHARS);
      for (const listener of listeners) listener(line);
    });
  }
  const exit = once(child, 'exit').then(disown);

  /** Sends a signal that preload.mjs answers with a line of this beginning, and returns the rest of the line. */
  function ask(signal: NodeJS.Signals, beginning: string): Promise<string> {
    return new Promise((resolve) => {
      const answer = (line: string): void => {
        if (!line.startsWith(beginning)) return;
        listeners.delete(answer);
        resolve(line.slice(beginning.length));
      };
      listeners.add(answer);
      // If the server has exited, the caller's next request fails.
      void exit.then(() => answer(beginning));
      child.kill(signal);
    });
  }
  return {
    pid,
    exited: () => child.exitCode !== null || child.signalCode !== null,
    recentOutput: () => output,
    collectGarbage: () => ask('SIGUSR2', 'collected').then(() => {}),
    takeWriteTimes: async () => JSON.parse((await ask('SIGHUP', 'write times ')) || '[]') as number[],
    async stop() {
      // SIGKILL is enough: no client is connected. A profile is written only on a normal exit.
      child.kill(profile === null ? 'SIGKILL' : 'SIGTERM');
      await exit;
      await folder.clear();
    },
  };
}

async function isReady(port: number, path: string): Promise<boolean> {
  return (await fetch(`http://127.0.0.1:${port}${path}`).catch(() => null))?.ok ?? false;
}

function listens(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ port, host: '127.0.0.1' });
    socket.once('connect', () => resolve(true)).once('error', () => resolve(false));
    socket.once('connect', () => socket.destroy());
  });
}
