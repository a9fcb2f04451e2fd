import { setTimeout as sleep } from 'node:timers/promises';
import { type ParleyProcess, runParley } from '../../helpers/process.js';

/** A Parley process, and its successors on the same port. */
export interface Instance {
  readonly url: string;
  readonly webSocketUrl: string;
  readonly pid: number;
  /** Its exit status and last output if it has exited without being stopped; otherwise null. */
  readonly crash: string | null;
  /** What the current process has written so far to its outputs. */
  output(): string;
  /** Sends SIGKILL, and resolves when the process has exited. */
  kill(): Promise<void>;
  /** Sends SIGTERM, and resolves when the process has exited; throws if its exit status is not 0. */
  shutDown(): Promise<void>;
  /** Starts a new process after the last one has exited; resolves when it is ready. */
  restart(): Promise<void>;
  /** Whether it reports that database and bus are available. */
  isReady(): Promise<boolean>;
  /** Resolves when it is ready; throws after the timeout. */
  ready(timeoutMs: number): Promise<void>;
  /** Kills the process, in any state, and removes its files. */
  discard(): Promise<void>;
}

const MAX_OUTPUT_CHARS = 2000;
const POLL_MS = 20;

/** Starts a process on the port of these settings, and waits until it is ready. */
export async function startInstance(env: Record<string, string> & { PORT: string }): Promise<Instance> {
  const base = `127.0.0.1:${env.PORT}`;
  let current: ParleyProcess;
  let crash: string | null = null;
  let isStopping = false;

  async function launch(): Promise<void> {
    isStopping = false;
    const launched = await runParley(env);
    current = launched;
    void launched.exited.then(({ code, signal }) => {
      if (!isStopping) crash = `${signal ?? code}: ${launched.output().slice(-MAX_OUTPUT_CHARS)}`;
    });
    await launched.ready;
  }

  async function end(signal: NodeJS.Signals) {
    isStopping = true;
    current.kill(signal);
    return current.exited;
  }

  const isReady = async (): Promise<boolean> => {
    const response = await fetch(`http://${base}/ready`).catch(() => null);
    // A degraded instance serves clients too, with 200.
    return ((await response?.json()) as { status: string } | undefined)?.status === 'ready';
  };

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
    output: () => current.output(),
    async kill() {
      await end('SIGKILL');
    },
    async shutDown() {
      const { code, signal } = await end('SIGTERM');
      if (code !== 0) throw new Error(`An instance that was shut down exited with ${signal ?? code}.`);
    },
    restart: async () => {
      await current.stop();
      await launch();
    },
    isReady,
    async ready(timeoutMs) {
      const start = performance.now();
      while (!(await isReady())) {
        if (performance.now() - start > timeoutMs)
          throw new Error(`The instance was not ready again after ${timeoutMs} ms.`);
        await sleep(POLL_MS);
      }
    },
    async discard() {
      // SIGKILL: no clients are left to be drained.
      await end('SIGKILL');
      await current.stop();
    },
  };
}
