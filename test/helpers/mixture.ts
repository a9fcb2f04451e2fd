import { connect } from 'node:net';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { MESSAGE_ADDED, type Person } from './client.js';
import type { TestParley } from './parley.js';
import { openRawSocket, openSocketOf, type RawSocket } from './raw-socket.js';

export interface MixtureOptions {
  readonly parley: Pick<TestParley, 'url' | 'webSocketUrl'>;
  readonly alice: Pick<Person, 'token'>;
  readonly rooms: readonly string[];
  readonly seed: number;
}

/** Numbers from 0 to below 1, the same for the same seed (mulberry32). */
function randomly(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/**
 * A crowd that comes and goes in every way: subscribes, completes, uses ids again, and is torn off in the middle of a
 * handshake, of an init, of a subscribe, of an event stream.
 *
 * @returns a function that takes so many steps; when it resolves everyone has left, some a moment ago.
 */
export function mixture({ parley, alice, rooms, seed }: MixtureOptions): (steps: number) => Promise<void> {
  const random = randomly(seed);
  const below = (count: number) => Math.floor(random() * count);
  const { hostname, port, host } = new URL(parley.url);
  /** By their places; one that is gone makes room. */
  const live = new Map<number, RawSocket>();
  const idOf = () => `${below(8)}`;
  const init = { type: 'connection_init', payload: { authorization: `Bearer ${alice.token}` } };
  const begin = (id: string) => ({
    type: 'subscribe',
    id,
    payload: { query: MESSAGE_ADDED, variables: { roomId: rooms[below(rooms.length)] } },
  });
  const end = (id: string) => ({ type: 'complete', id });

  async function turns(): Promise<void> {
    for (let left = below(6); left > 0; left -= 1) await nextTurn();
  }

  /** Writes a part of a request, or all of it, and is gone. */
  async function tearRequest(lines: readonly string[], body = ''): Promise<void> {
    const socket = connect({ host: hostname, port: Number(port) });
    socket.on('error', () => {});
    await new Promise((resolve) => socket.once('connect', resolve));
    const text = `${lines.join('\r\n')}\r\n\r\n${body}`;
    socket.write(random() < 0.5 ? text : text.slice(0, below(text.length)));
    await turns();
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

  /** Says the first so many of these, and is gone. */
  async function tearSocket(): Promise<void> {
    const socket = await openRawSocket(parley.webSocketUrl);
    const said = below(3);
    if (said > 0) socket.send(init);
    if (said > 1) {
      await socket.received('connection_ack');
      socket.send(...['1', '2', '3'].slice(below(3)).map(begin));
    }
    await turns();
    socket.destroy();
    await socket.closed;
  }

  async function liveSocket(): Promise<RawSocket> {
    const place = below(10);
    const there = live.get(place);
    if (there) return there;
    const socket = await openSocketOf(alice, parley.webSocketUrl);
    live.set(place, socket);
    void socket.closed.then(() => live.delete(place));
    return socket;
  }

  async function useSocket(): Promise<void> {
    const socket = await liveSocket();
    const id = idOf();
    const kind = below(10);
    // An id in use ends the socket, so this is a way to leave too, though a rare one.
    if (kind < 1) socket.send(begin(id));
    else if (kind < 6) socket.send(end(id), begin(id));
    else if (kind < 9) socket.send(end(id));
    else {
      socket.send(end(id), begin(id), end(id), begin(id));
      await turns();
      socket.destroy();
    }
    await turns();
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
    for (let taken = 0; taken < steps; taken += 1) await step();
    const left = [...live.values()];
    for (const socket of left) socket.destroy();
    await Promise.all(left.map(({ closed }) => closed));
  };
}
