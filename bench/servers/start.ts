import { once } from 'node:events';
import { existsSync, mkdirSync } from 'node:fs';
import { connect } from 'node:net';
import { resolve } from 'node:path';
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
  { name, script, bridge, readyPath }: Target,
  { testbed, cores, profileFolder }: Pick<BenchContext, 'testbed' | 'cores' | 'profileFolder'>,
): Promise<Server> {
  const port = await freePort();
  const env = { ...testbed.env, PORT: String(port), AUTHOR: JSON.stringify(testbed.author) };
  const profile = profileFolder === null ? null : nextFolder(profileFolder, name);
  const server = await run(script, cores?.server ?? null, env, profile);
  const bridgeProcess = bridge === undefined ? null : await run(bridge, null, env, null);
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
  return { pid: server.pid, port, collectGarbage: server.collectGarbage, stop };
}

/** The first of `parent/name-1`, `parent/name-2`, … that does not exist yet. */
function nextFolder(parent: string, name: string): string {
  for (let number = 1; ; number++) {
    const folder = resolve(parent, `${name}-${number}`);
    if (!existsSync(folder)) return folder;
  }
}

async function run(script: string, core: number | null, env: Record<string, string>, profile: string | null) {
  if (!existsSync(`${ROOT}${script}`)) throw new Error(`${script} does not exist`);
  const folder = temporaryFolder('bench');
  const { PATH = '', HOME = '' } = process.env;
  const profiling = profile === null ? [] : ['--cpu-prof', `--cpu-prof-dir=${profile}`];
  if (profile !== null) mkdirSync(profile, { recursive: true });
  const args = [
    ...profiling,
    '--expose-gc',
    '--import',
    `${ROOT}bench/servers/preload.mjs`,
    `${ROOT}${script}`,
  ];
  const child = spawnPinned(core, args, {
    cwd: folder.path,
    env: { PATH, HOME, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const { pid } = child;
  if (pid === undefined) throw (await once(child, 'error'))[0];
  const disown = folder.owns('server', pid);
  let output = '';
  const collected = new Set<() => void>();
  for (const stream of [child.stdout, child.stderr])
    stream?.setEncoding('utf8').on('data', (text: string) => {
      output = (output + text).slice(-MAX_OUTPUT_CHARS);
      if (text.includes('collected\n')) for (const resolve of collected) resolve();
    });
  const exit = once(child, 'exit').then(disown);
  return {
    pid,
    exited: () => child.exitCode !== null || child.signalCode !== null,
    recentOutput: () => output,
    collectGarbage: () =>
      new Promise<void>((resolve) => {
        const done = (): void => {
          collected.delete(done);
          resolve();
        };
        collected.add(done);
        // If the server has exited, the caller's next request fails.
        void exit.then(done);
        child.kill('SIGUSR2');
      }),
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
