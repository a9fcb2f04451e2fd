import { once } from 'node:events';
import WebSocket from 'ws';
import { type Edge, type GraphQLError, MESSAGE_ADDED, type Person, type Result } from './client.js';
import { stopInTheEnd } from './stopping.js';

/** A message of the `graphql-transport-ws` protocol as it came over the wire. */
export type Frame =
  | { readonly type: 'connection_ack' | 'ping' | 'pong' }
  | { readonly type: 'next'; readonly id: string; readonly payload: Result<{ messageAdded: Edge }> }
  | { readonly type: 'error'; readonly id: string; readonly payload: readonly GraphQLError[] }
  | { readonly type: 'complete'; readonly id: string };

type FrameOf<Type extends Frame['type']> = Extract<Frame, { type: Type }>;

/** The protocol by hand: for what the standard client would never send, and for what it hides of the answers. */
export interface RawSocket {
  /** All that came so far. */
  readonly frames: readonly Frame[];
  /** The same, byte for byte. */
  readonly texts: readonly string[];
  /** Sends each as a frame of its own, in one go: objects as JSON, texts as they are. */
  send(...messages: (object | string)[]): void;
  /** Starts an operation; `messageAdded` unless another query is given. */
  subscribe(id: string, variables: object, query?: string): void;
  /** Resolves with the first `count` frames of this type and id; rejects where the socket closes before. */
  received<Type extends Frame['type']>(
    type: Type,
    id?: string,
    count?: number,
  ): Promise<readonly FrameOf<Type>[]>;
  readonly closed: Promise<{ code: number; reason: string }>;
  /** Reads nothing more, so that the network's buffers fill up. Not even a close is noticed then. */
  pause(): void;
  resume(): void;
  /** Pings by WebSocket's own means, not the protocol's. */
  ping(payload: string): void;
  /** Bytes that the server has not taken yet. */
  unsentBytes(): number;
  /** Cuts the connection without a word, as a lost network does. */
  destroy(): void;
}

export interface RawSocketOptions {
  readonly protocols?: string[];
  readonly headers?: Record<string, string>;
}

/** Resolves when the socket is open; rejects where the server refuses it. It is closed at the end of the test file. */
export async function openRawSocket(url: string, options: RawSocketOptions = {}): Promise<RawSocket> {
  const { protocols = ['graphql-transport-ws'], headers = {} } = options;
  const socket = new WebSocket(url, protocols, { headers });
  const frames: Frame[] = [];
  const texts: string[] = [];
  const waiting = new Set<() => void>();
  let over = false;
  const check = (): void => {
    for (const waiter of [...waiting]) waiter();
  };
  socket.on('message', (data) => {
    texts.push(String(data));
    // What the server sends is checked by the test that reads it.
    frames.push(JSON.parse(String(data)) as Frame);
    check();
  });
  const closed = new Promise<{ code: number; reason: string }>((resolve) => {
    socket.once('close', (code, reason) => {
      over = true;
      check();
      resolve({ code, reason: String(reason) });
    });
  });
  const stop = stopInTheEnd(async () => socket.terminate());
  void closed.then(stop);
  await once(socket, 'open');
  // Told by `closed`.
  socket.on('error', () => {});

  const send = (...messages: (object | string)[]): void => {
    for (const message of messages)
      socket.send(typeof message === 'string' ? message : JSON.stringify(message));
  };
  return {
    frames,
    texts,
    send,
    subscribe: (id, variables, query = MESSAGE_ADDED) =>
      send({ type: 'subscribe', id, payload: { query, variables } }),
    received: (type, id, count = 1) =>
      new Promise((resolve, reject) => {
        const waiter = (): void => {
          const found = frames.filter(
            (frame): frame is FrameOf<typeof type> =>
              frame.type === type && (id === undefined || ('id' in frame && frame.id === id)),
          );
          if (found.length < count && !over) return;
          waiting.delete(waiter);
          if (found.length >= count) resolve(found.slice(0, count));
          else reject(new Error(`Closed before ${count} ${type} of ${id}: ${JSON.stringify(frames)}`));
        };
        waiting.add(waiter);
        waiter();
      }),
    closed,
    pause: () => socket.pause(),
    resume: () => socket.resume(),
    ping: (payload) => socket.ping(payload),
    unsentBytes: () => socket.bufferedAmount,
    destroy: () => socket.terminate(),
  };
}

/** A socket on which the server has acknowledged the person. */
export async function openSocketOf(
  person: Pick<Person, 'token'>,
  url: string,
  options: RawSocketOptions = {},
): Promise<RawSocket> {
  const socket = await openRawSocket(url, options);
  socket.send({ type: 'connection_init', payload: { authorization: `Bearer ${person.token}` } });
  await socket.received('connection_ack');
  return socket;
}
