import { connect } from 'node:net';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { MESSAGE_ADDED, type Person } from './client.js';
import type { TestParley } from './parley.js';
import { random } from './random.js';
import { openRawSocket, openSocketOf, type RawSocket } from './raw-socket.js';

export interface MixtureOptions {
  readonly parley: Pick<TestParley, 'url' | 'webSocketUrl'>;
  readonly alice: Pick<Person, 'token'>;
  readonly rooms: readonly string[];
  readonly seed: number;
}

/**
 * Clients that connect and disconnect in every way: they subscribe, complete, reuse ids, and break off during a handshake, an
 * init, a subscribe or an event stream.
 *
 * @returns a function that runs this number of random steps; when it resolves, all clients have disconnected.
 */
export function mixture({ parley, alice, rooms, seed }: MixtureOptions): (steps: number) => Promise<void> {
  const next = random(seed);
  const below = (count: number) => Math.floor(next() * count);
  const { hostname, port, host } = new URL(parley.url);
  /** Open sockets by slot; a closed socket frees its slot. */
  const live = new Map<number, RawSocket>();
  const idOf = () => `${below(8)}`;
  const init = { type: 'connection_init', payload: { authorization: `Bearer ${alice.token}` } };
  const begin = (id: string) => ({
    type: 'subscribe',
    id,
    payload: { query: MESSAGE_ADDED, variables: { roomId: rooms[below(rooms.length)] } },
  });
  const end = (id: string) => ({ type: 'complete', id });

  async function waitTurns(): Promise<void> {
    for (let left = below(6); left > 0; left -= 1) await nextTurn();
  }

  /** Writes all or a part of a request, and breaks off. */
  async function tearRequest(lines: readonly string[], body = ''): Promise<void> {
    const socket = connect({ host: hostname, port: Number(port) });
    socket.on('error', () => {});
    await new Promise((resolve) => socket.once('connect', resolve));
    const text = `${lines.join('\r\n')}\r\n\r\n${body}`;
    socket.write(next() < 0.5 ? text : text.slice(0, below(text.length)));
    await waitTurns();
    socket.destroy();
  }

  const upgrade = (path: string) =>
    tearRequest([
      `GET ${path} HTTP/1.1`,
      `Host: ${host}`,
      'Connection: Upgrade',
      'Upgrade: websocket',
      'Sec-WebSocket-Version: 13',
      'Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==',
      'Sec-WebSocket-Protocol: graphql-transport-ws',
    ]);

  function eventStream(): Promise<void> {
    const body = JSON.stringify(begin('1').payload);
    const headers = [
      `Host: ${host}`,
      'Content-Type: application/json',
      'Accept: text/event-stream',
      `Authorization: Bearer ${alice.token}`,
      `Content-Length: ${body.length}`,
    ];
    return tearRequest(['POST /graphql HTTP/1.1', ...headers], body);
  }

  /** Opens a socket, sends a random number of the first messages, and breaks off. */
  async function tearSocket(): Promise<void> {
    const socket = await openRawSocket(parley.webSocketUrl);
    const stage = below(3);
    if (stage > 0) socket.send(init);
    if (stage > 1) {
      await socket.received('connection_ack');
      socket.send(...['1', '2', '3'].slice(below(3)).map(begin));
    }
    await waitTurns();
    socket.destroy();
    await socket.closed;
  }

  async function liveSocket(): Promise<RawSocket> {
    const slot = below(10);
    const existing = live.get(slot);
    if (existing) return existing;
    const socket = await openSocketOf(alice, parley.webSocketUrl);
    live.set(slot, socket);
    void socket.closed.then(() => live.delete(slot));
    return socket;
  }

  async function useSocket(): Promise<void> {
    const socket = await liveSocket();
    const id = idOf();
    const kind = below(10);
    // An id in use closes the socket, so this rarely disconnects a client too.
    if (kind < 1) socket.send(begin(id));
    else if (kind < 6) socket.send(end(id), begin(id));
    else if (kind < 9) socket.send(end(id));
    else {
      socket.send(end(id), begin(id), end(id), begin(id));
      await waitTurns();
      socket.destroy();
    }
    await waitTurns();
  }

  async function step(): Promise<void> {
    const kind = below(20);
    if (kind < 1) await upgrade('/graphql');
    else if (kind < 2) await upgrade('/elsewhere');
    else if (kind < 4) await eventStream();
    else if (kind < 6) await tearSocket();
    else await useSocket();
  }

  return async (steps) => {
    for (let done = 0; done < steps; done += 1) await step();
    const left = [...live.values()];
    for (const socket of left) socket.destroy();
    await Promise.all(left.map(({ closed }) => closed));
  };
}
