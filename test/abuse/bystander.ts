import { setTimeout as sleep } from 'node:timers/promises';
import type { Person } from '../helpers/client.js';
import { openSocketOf } from '../helpers/raw-socket.js';

const INTERVAL_MS = 500;
const SEND = `mutation ($roomId: ID!, $text: String!) {
  sendMessage(input: { roomId: $roomId, text: $text }) { __typename }
}`;

export interface Bystander {
  /** Durations of the sends since the last call, in ms. Rejects if one of them was refused. */
  take(): readonly number[];
  stop(): Promise<void>;
}

/** Sends a message twice a second over a WebSocket that stays open. */
export async function startBystander(
  person: Person,
  webSocketUrl: string,
  roomId: string,
): Promise<Bystander> {
  const socket = await openSocketOf(person, webSocketUrl);
  const stopping = new AbortController();
  let durations: number[] = [];
  const refused: string[] = [];

  async function send(id: string): Promise<void> {
    const start = performance.now();
    socket.subscribe(id, { roomId, text: id }, SEND);
    const failed = socket.received('error', id).then(([frame]) => JSON.stringify(frame));
    const outcome = await Promise.race([
      socket.received('next', id).then(([frame]) => JSON.stringify(frame)),
      failed,
    ]).catch((error: unknown) => String(error));
    failed.catch(() => {});
    if (outcome.includes('SendMessagePayload')) durations.push(performance.now() - start);
    else refused.push(outcome);
  }

  async function run(): Promise<void> {
    const sends: Promise<void>[] = [];
    for (let count = 1; !stopping.signal.aborted; count += 1) {
      sends.push(send(`bystander ${count}`));
      await sleep(INTERVAL_MS, undefined, { signal: stopping.signal }).catch(() => {});
    }
    await Promise.all(sends);
  }

  const running = run();
  return {
    take() {
      if (refused.length > 0) throw new Error(`The bystander was refused: ${refused[0]}`);
      const taken = durations;
      durations = [];
      return taken;
    },
    async stop() {
      stopping.abort();
      await running;
      socket.destroy();
    },
  };
}
