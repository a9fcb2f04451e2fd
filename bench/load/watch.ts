import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Connection, openConnection } from './connection.js';
import { graphqlTransportWs, SUBSCRIPTION } from './protocols.js';
import { openSender } from './sender.js';

export interface WatchOptions {
  readonly port: number;
  readonly token: string;
  readonly rooms: readonly string[];
}

export interface SendToEachOptions {
  readonly port: number;
  readonly token: string;
}

export interface SentToEach {
  /** The time from the first send to the last delivery, in ms. */
  readonly lastDelivery: number;
  /** The longest time from a send to its acknowledgement, in ms. */
  readonly worstSend: number;
  readonly faults: readonly string[];
}

const SUBSCRIPTIONS_PER_SOCKET = 50;
const SENDS_AT_ONCE = 100;
const TIMEOUT_MS = 60_000;
/** Time in which the subscriptions become live, in ms. */
const SETTLE_MS = 3000;

/** One subscription to each of many rooms. */
export interface Watch {
  sendToEach(options: SendToEachOptions): Promise<SentToEach>;
  close(): void;
}

export async function openWatch({ port, token, rooms }: WatchOptions): Promise<Watch> {
  const faults: string[] = [];
  const connections: Connection[] = [];
  const received = new Map<string, number>();
  const onFault = (fault: string): void => void faults.push(fault);

  for (let start = 0; start < rooms.length; start += SUBSCRIPTIONS_PER_SOCKET) {
    const watched = rooms.slice(start, start + SUBSCRIPTIONS_PER_SOCKET);
    const roomOf = new Map(watched.map((roomId) => [randomUUID() as string, roomId]));
    const connection = await openConnection({
      port,
      path: graphqlTransportWs.path,
      subprotocol: graphqlTransportWs.subprotocol,
      onText(bytes, from, to, { send }) {
        const { id, type } = JSON.parse(bytes.toString('utf8', from, to)) as { id?: string; type: string };
        const roomId = roomOf.get(id ?? '');
        if (type === 'connection_ack')
          for (const [operation, room] of roomOf)
            send(
              JSON.stringify({
                id: operation,
                type: 'subscribe',
                payload: { query: SUBSCRIPTION, variables: { roomId: room } },
              }),
            );
        else if (type === 'next' && roomId !== undefined)
          received.set(roomId, (received.get(roomId) ?? 0) + 1);
        else if (type !== 'ping') onFault(`Expected a delivery, received ${type}`);
      },
      onEnd: onFault,
    });
    const init = { type: 'connection_init', payload: { authorization: `Bearer ${token}` } };
    connection.send(JSON.stringify(init));
    connections.push(connection);
  }
  await sleep(SETTLE_MS);

  return {
    async sendToEach({ port: senderPort, token: senderToken }) {
      received.clear();
      const sender = await openSender({
        port: senderPort,
        token: senderToken,
        concurrency: SENDS_AT_ONCE,
        onFailure: onFault,
      });
      const start = performance.now();
      let worstSend = 0;
      let next = 0;
      const work = async (): Promise<void> => {
        for (let roomId = rooms[next++]; roomId !== undefined; roomId = rooms[next++]) {
          const room = roomId;
          const sentAt = performance.now();
          await new Promise<void>((resolve) => sender.send(room, 'to each room', () => resolve()));
          worstSend = Math.max(worstSend, performance.now() - sentAt);
        }
      };
      await Promise.all(Array.from({ length: SENDS_AT_ONCE }, work));
      while (received.size < rooms.length && performance.now() - start < TIMEOUT_MS) await sleep(10);
      const lastDelivery = performance.now() - start;
      if (received.size < rooms.length)
        onFault(`Only ${received.size} of ${rooms.length} rooms were delivered`);
      for (const [roomId, count] of received) if (count > 1) onFault(`${roomId} received ${count} messages`);
      sender.close();
      return { lastDelivery, worstSend, faults };
    },
    close() {
      for (const connection of connections) connection.destroy();
    },
  };
}
