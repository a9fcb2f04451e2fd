import { setTimeout as sleep } from 'node:timers/promises';
import { type ParleyProcess, runParley } from '../helpers/process.js';

/** One Parley process, and its successors on the same port. */
export interface Instance {
  readonly url: string;
  readonly webSocketUrl: string;
  readonly pid: number;
  /** What it said last, where it has ended without being told to; else null. */
  readonly crash: string | null;
  /** SIGKILL, and resolves when it is gone. */
  kill(): Promise<void>;
  /** SIGTERM, and resolves when it has left; throws where it leaves otherwise than it should. */
  leave(): Promise<void>;
  /** Starts it again, once it is gone; resolves when it is ready. */
  restart(): Promise<void>;
  /** Whether it finds database and bus both there. */
  isReady(): Promise<boolean>;
  /** Resolves when it is ready; throws after the patience. */
  ready(timeoutMs: number): Promise<void>;
  /** Ends it, whatever state it is in. */
  discard(): Promise<void>;
}

const LAST_WORDS = 2000;
const POLL_MS = 20;

/** Starts a process on the port of these settings, and waits until it is ready. */
export async function startInstance(env: Record<string, string> & { PORT: string }): Promise<Instance> {
  const base = `127.0.0.1:${env.PORT}`;
  let current: ParleyProcess;
  let crash: string | null = null;
  let isToEnd = false;

  async function launch(): Promise<void> {
    isToEnd = false;
    const launched = await runParley(env);
    current = launched;
    void launched.exited.then(({ code, signal }) => {
      if (!isToEnd) crash = `${signal ?? code}: ${launched.output().slice(-LAST_WORDS)}`;
    });
    await launched.ready;
  }

  async function end(signal: NodeJS.Signals) {
    isToEnd = true;
    current.kill(signal);
    return current.exited;
  }

  const isReady = async () => (await fetch(`http://${base}/ready`).catch(() => null))?.ok ?? false;

  await launch();
  return {
    url: `http://${base}/graphql`,
    webSocketUrl: `ws://${base}/graphql`,
    get pid() {
      return current.pid;
    },
    get crash() {
      return crash;
    },
    async kill() {
      await end('SIGKILL');
    },
    async leave() {
      const { code, signal } = await end('SIGTERM');
      if (code !== 0) throw new Error(`An instance that was told to stop ended with ${signal ?? code}.`);
    },
    restart: async () => {
      await current.stop();
      await launch();
    },
    isReady,
    async ready(timeoutMs) {
      const start = performance.now();
      while (!(await isReady())) {
        if (performance.now() - start > timeoutMs) throw new Error(`Not ready again after ${timeoutMs} ms.`);
        await sleep(POLL_MS);
      }
    },
    async discard() {
      // No time for a drain: nobody is there any more.
      await end('SIGKILL');
      await current.stop();
    },
  };
}
