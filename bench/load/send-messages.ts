import { Agent, request } from 'node:http';
import { textOf } from './room-check.js';
import { openSender, SEND } from './sender.js';
import { openWindow, type Timing, type Window } from './windows.js';

export interface SendsOptions {
  readonly port: number;
  readonly token: string;
  readonly rooms: readonly string[];
  readonly transport: 'websocket' | 'http';
  /** Each connection sends its next message when the previous one is acknowledged. */
  readonly connections: number;
  readonly timing: Timing;
}

/** Sends messages in a closed loop, and counts their acknowledgements. */
export async function sendMessages(options: SendsOptions): Promise<Window> {
  const { port, token, rooms, transport, connections, timing } = options;
  const faults: string[] = [];
  const seen = new Map<string, Set<number>>();
  let count = 0;
  let isRunning = true;
  let close = () => {};

  const onFailure = (fault: string): void => {
    if (isRunning) faults.push(fault);
  };
  /** Counts a message, and checks that no two messages of a room have the same `seq`. */
  const acknowledge = (room: string, seq: number): void => {
    const seqs = seen.get(room) ?? new Set();
    if (seqs.has(seq)) onFailure(`Two messages have seq ${seq}`);
    seen.set(room, seqs.add(seq));
    count += 1;
  };
  const roomOf = (connection: number): string => rooms[connection % rooms.length] ?? '';

  if (transport === 'websocket') {
    const senders = await Promise.all(
      Array.from({ length: connections }, () => openSender({ port, token, concurrency: 1, onFailure })),
    );
    senders.forEach((sender, connection) => {
      const room = roomOf(connection);
      const next = (): void => {
        if (!isRunning) return;
        sender.send(room, textOf(performance.now()), ({ seq }) => {
          acknowledge(room, seq);
          next();
        });
      };
      next();
    });
    close = () => {
      for (const sender of senders) sender.close();
    };
  } else {
    const agent = new Agent({ keepAlive: true, maxSockets: connections });
    for (let connection = 0; connection < connections; connection++) {
      const room = roomOf(connection);
      const next = (): void => {
        if (!isRunning) return;
        const input = { roomId: room, text: textOf(performance.now()) };
        post(agent, port, token, JSON.stringify({ query: SEND, variables: { input } })).then(
          (answer) => {
            const seq = /"seq":(\d+)/.exec(answer)?.[1];
            if (seq === undefined) onFailure(`A message was rejected: ${answer.slice(0, 300)}`);
            else acknowledge(room, Number(seq));
            next();
          },
          (error) => onFailure(String(error)),
        );
      };
      next();
    }
    close = () => agent.destroy();
  }

  const window = await openWindow(timing, () => count);
  isRunning = false;
  close();
  return { ...window, p50: null, p99: null, faults: faults.slice(0, 10), isSettled: true };
}

function post(agent: Agent, port: number, token: string, body: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const headers = {
      // As specified by https://graphql.github.io/graphql-over-http/draft/
      accept: 'application/graphql-response+json, application/json',
      'content-type': 'application/json',
      'content-length': Buffer.byteLength(body),
      authorization: `Bearer ${token}`,
    };
    const options = { agent, port, host: '127.0.0.1', path: '/graphql', method: 'POST', headers };
    request(options, (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (part: string) => {
        text += part;
      });
      response.on('end', () => resolve(text)).on('error', reject);
    })
      .on('error', reject)
      .end(body);
  });
}
