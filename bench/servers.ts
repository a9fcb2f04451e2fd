import { once } from 'node:events';
import { existsSync, mkdirSync } from 'node:fs';
import { connect } from 'node:net';
import { resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { freePort } from '../test/helpers/free-port.js';
import { stopInTheEnd } from '../test/helpers/stopping.js';
import { temporaryFolder } from '../test/helpers/temporary-folder.js';
import type { Lab } from './lab.js';
import type { ProtocolName } from './load/protocols.js';
import { spawnPinned } from './machine.js';

/** A server to be compared. */
export interface Contestant {
  readonly name: string;
  readonly title: string;
  /** From the repository's root. */
  readonly script: string;
  readonly protocol: ProtocolName;
  /** Where it says that it is ready, with a 200; by default it is as soon as it listens. */
  readonly readyPath?: string;
  /** Runs beside the load and is not counted: brings Parley's stream to it. */
  readonly bridge?: string;
}

export const PARLEY: Contestant = {
  name: 'parley',
  title: 'Parley',
  script: 'dist/bin/server.js',
  readyPath: '/ready',
  protocol: 'graphqlTransportWs',
};
export const FLOOR: Contestant = {
  name: 'floor',
  title: 'floor: raw ws, no GraphQL',
  script: 'bench/servers/floor.mjs',
  protocol: 'graphqlTransportWs',
};
export const YOGA: Contestant = {
  name: 'yoga',
  title: 'graphql-yoga + graphql-ws',
  script: 'bench/servers/yoga.mjs',
  protocol: 'graphqlTransportWs',
};
export const PEERS: readonly Contestant[] = [
  {
    name: 'socket.io',
    title: 'socket.io + Redis adapter',
    script: 'bench/peers/socket.io/server.mjs',
    bridge: 'bench/peers/socket.io/bridge.mjs',
    protocol: 'socketIo',
  },
  {
    name: 'apollo',
    title: 'Apollo + graphql-redis-subscriptions',
    script: 'bench/peers/apollo/server.mjs',
    protocol: 'graphqlTransportWs',
  },
  {
    name: 'mercurius',
    title: 'mercurius',
    script: 'bench/peers/mercurius/server.mjs',
    protocol: 'graphqlTransportWs',
  },
];

/** One of them, at work. */
export interface Server {
  readonly pid: number;
  readonly port: number;
  /** Resolves when it has collected its garbage. */
  collectGarbage(): Promise<void>;
  stop(): Promise<void>;
}

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const START_TIMEOUT_MS = 20_000;
const LAST_WORDS = 2000;

/**
 * Starts it alone on its core, and resolves when it is ready. It is stopped by `stopAll`, if not before; where profiles are
 * wanted, it then leaves one in a folder of its own.
 */
export async function startServer(
  { name, script, bridge, readyPath }: Contestant,
  { stage, cores, profileFolder }: Pick<Lab, 'stage' | 'cores' | 'profileFolder'>,
): Promise<Server> {
  const port = await freePort();
  const env = { ...stage.env, PORT: String(port), AUTHOR: JSON.stringify(stage.author) };
  const profile = profileFolder === null ? null : nextFolder(profileFolder, name);
  const server = await run(script, cores?.server ?? null, env, profile);
  const beside = bridge === undefined ? null : await run(bridge, null, env, null);
  const stop = async (): Promise<void> => {
    stopped();
    await Promise.all([server.stop(), beside?.stop()]);
  };
  const stopped = stopInTheEnd(stop);
  const start = performance.now();
  while (!(readyPath === undefined ? await listens(port) : await isReady(port, readyPath))) {
    if (server.exited() || performance.now() - start > START_TIMEOUT_MS) {
      await stop();
      throw new Error(`${script} did not start:\n${server.lastWords()}`);
    }
    await sleep(50);
  }
  return { pid: server.pid, port, collectGarbage: server.collectGarbage, stop };
}

/** The first of `parent/name-1`, `parent/name-2`, … that is not there yet. */
function nextFolder(parent: string, name: string): string {
  for (let number = 1; ; number++) {
    const folder = resolve(parent, `${name}-${number}`);
    if (!existsSync(folder)) return folder;
  }
}

async function run(script: string, core: number | null, env: Record<string, string>, profile: string | null) {
  if (!existsSync(`${ROOT}${script}`)) throw new Error(`There is no ${script}`);
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
  let words = '';
  const collected = new Set<() => void>();
  for (const stream of [child.stdout, child.stderr])
    stream?.setEncoding('utf8').on('data', (text: string) => {
      words = (words + text).slice(-LAST_WORDS);
      if (text.includes('collected\n')) for (const resolve of collected) resolve();
    });
  const exit = once(child, 'exit').then(disown);
  return {
    pid,
    exited: () => child.exitCode !== null || child.signalCode !== null,
    lastWords: () => words,
    collectGarbage: () =>
      new Promise<void>((resolve) => {
        const done = (): void => {
          collected.delete(done);
          resolve();
        };
        collected.add(done);
        // Who waits for one that is gone finds that out by what they ask next.
        void exit.then(done);
        child.kill('SIGUSR2');
      }),
    async stop() {
      // Nobody is there any more to be told; a profile is written at an exit only.
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
