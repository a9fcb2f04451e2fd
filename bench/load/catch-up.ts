import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { cpuSeconds, residentBytes } from '../machine/usage.js';
import { type Connection, openConnection } from './connection.js';
import { graphqlTransportWs, type SubscribeRequest } from './protocols.js';
import { openSender } from './sender.js';

export interface CatchUpOptions {
  readonly port: number;
  readonly pid: number;
  /** Access tokens of members; the clients use them in turn. */
  readonly tokens: readonly string[];
  /** Number of clients, each with a socket of its own. */
  readonly clients: number;
  /** Time within which they connect, in ms. */
  readonly spreadMs: number;
  readonly roomId: string;
  /** The cursor to start after, and the `seq` of its message. */
  readonly after: string;
  readonly afterSeq: number;
  /** Number of messages that each client receives. */
  readonly count: number;
  /** The subscription; by default that of all other measurements. */
  readonly query?: string;
  /** Messages that are sent at once when all clients wait for them; without it, they are stored already. */
  readonly burst?: {
    readonly sender: { readonly port: number; readonly token: string };
    readonly text: string;
  };
}

export interface CatchUp {
  /** When the clients began to connect, or the burst began, in ms since 1970. */
  readonly startedAt: number;
  /** Messages of all clients together. */
  readonly deliveries: number;
  /** Bytes of all clients together. */
  readonly bytes: number;
  /** The server's CPU time, in seconds, and the time that passed. */
  readonly cpuSeconds: number;
  readonly seconds: number;
  /** The server's peak resident memory, in bytes. */
  readonly peakBytes: number;
  readonly faults: readonly string[];
}

const SAMPLE_INTERVAL_MS = 20;
const TIMEOUT_MS = 120_000;
/** Messages of a burst that wait for their acknowledgement: all of them. */
const MAX_OPERATIONS = 400;
/** Time in which clients of a burst become live, in ms. */
const SETTLE_MS = 1000;
const MAX_FAULTS = 10;

/** Lets clients receive the messages after their cursor, and checks that each is complete and in order. */
export async function catchUp(options: CatchUpOptions): Promise<CatchUp> {
  const { port, pid, tokens, clients, spreadMs, roomId, after, afterSeq, count, query, burst } = options;
  const faults: string[] = [];
  const connections: Connection[] = [];
  let deliveries = 0;
  let bytesReceived = 0;
  const onFault = (fault: string): void => {
    if (faults.length < MAX_FAULTS) faults.push(fault);
  };

  async function open(index: number): Promise<void> {
    const token = tokens[index % tokens.length] ?? '';
    const request: SubscribeRequest = {
      id: randomUUID(),
      roomId,
      token,
      after,
      ...(query === undefined ? {} : { query }),
    };
    let seq = afterSeq;
    const connection = await openConnection({
      port,
      path: graphqlTransportWs.path,
      subprotocol: graphqlTransportWs.subprotocol,
      onText(bytes, from, to, { send }) {
        const text = bytes.toString('utf8', from, to);
        const delivery = graphqlTransportWs.parse(text);
        if (!delivery) {
          try {
            const reply = graphqlTransportWs.reply(text, request);
            if (reply !== null) send(reply);
          } catch (error) {
            onFault(String(error));
          }
          return;
        }
        if (delivery.seq !== seq + 1) onFault(`message ${delivery.seq} came after ${seq}`);
        seq = delivery.seq;
        deliveries += 1;
        bytesReceived += to - from;
      },
      onEnd: onFault,
    });
    connections.push(connection);
    const hello = graphqlTransportWs.hello(request);
    if (hello !== null) connection.send(hello);
  }

  let startedAt = Date.now();
  let start = performance.now();
  let cpu = cpuSeconds(pid);
  let peakBytes = residentBytes(pid);
  await Promise.all(
    Array.from({ length: clients }, async (_, index) => {
      await sleep((index * spreadMs) / clients);
      await open(index);
    }),
  );
  let closeSender = (): void => {};
  if (burst) {
    await sleep(SETTLE_MS);
    const sender = await openSender({ ...burst.sender, concurrency: MAX_OPERATIONS, onFailure: onFault });
    closeSender = sender.close;
    startedAt = Date.now();
    start = performance.now();
    cpu = cpuSeconds(pid);
    for (let sent = 0; sent < count; sent++) sender.send(roomId, burst.text, () => {});
  }
  while (deliveries < clients * count && faults.length === 0) {
    if (performance.now() - start > TIMEOUT_MS)
      onFault(`Only ${deliveries} of ${clients * count} messages arrived`);
    await sleep(SAMPLE_INTERVAL_MS);
    peakBytes = Math.max(peakBytes, residentBytes(pid));
  }
  const result = {
    startedAt,
    deliveries,
    bytes: bytesReceived,
    cpuSeconds: cpuSeconds(pid) - cpu,
    seconds: (performance.now() - start) / 1000,
    peakBytes,
    faults,
  };
  closeSender();
  for (const connection of connections) connection.destroy();
  return result;
}
