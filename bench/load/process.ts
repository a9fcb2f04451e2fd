import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { spawnPinned } from '../machine/cores.js';
import type { Answer, Commands } from './commands.js';

const MAIN = fileURLToPath(new URL('./main.ts', import.meta.url));

export type Load = Commands & { stop(): void };

/** Starts a load process on this core. A command rejects if it fails, or if the process has ended. */
export function startLoad(core: number | null): Load {
  const child = spawnPinned(core, ['--import', 'tsx', MAIN], {
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  });

  async function call(command: keyof Commands, options: unknown): Promise<unknown> {
    if (!child.connected) throw new Error('The load process has ended unexpectedly');
    const abort = new AbortController();
    const gone = once(child, 'exit', abort).then(() => {
      throw new Error('The load process has ended unexpectedly');
    });
    gone.catch(() => {});
    child.send({ command, options });
    try {
      const [answer] = (await Promise.race([once(child, 'message', abort), gone])) as [Answer];
      if ('error' in answer) throw new Error(answer.error);
      return answer.result;
    } finally {
      abort.abort();
    }
  }
  // The other end is typed by `Commands` too; the message between the processes is plain JSON.
  const remote =
    <Name extends keyof Commands>(name: Name) =>
    (options?: unknown) =>
      call(name, options) as ReturnType<Commands[Name]>;

  return {
    openCrowd: remote('openCrowd'),
    closeCrowd: remote('closeCrowd'),
    atRate: remote('atRate'),
    saturated: remote('saturated'),
    sendMessages: remote('sendMessages'),
    openWatch: remote('openWatch'),
    sendToEach: remote('sendToEach'),
    sendSeries: remote('sendSeries'),
    catchUp: remote('catchUp'),
    stop: () => void child.kill('SIGKILL'),
  };
}
