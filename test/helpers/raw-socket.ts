import { once } from 'node:events';
import WebSocket from 'ws';
import { type Edge, type GraphQLError, MESSAGE_ADDED, type Person, type Result } from './client.js';
import { stopAtEnd } from './stopping.js';

/** A message of the `graphql-transport-ws` protocol as received. */
export type Frame =
  | { readonly type: 'connection_ack' | 'ping' | 'pong' }
  | { readonly type: 'next'; readonly id: string; readonly payload: Result<{ messageAdded: Edge }> }
  | { readonly type: 'error'; readonly id: string; readonly payload: readonly GraphQLError[] }
  | { readonly type: 'complete'; readonly id: string };

type FrameOf<Type extends Frame['type']> = Extract<Frame, { type: Type }>;

/** Raw protocol messages: for messages that the standard client never sends, and for replies that it hides. */
export interface RawSocket {
  /** All messages received so far. */
  readonly frames: readonly Frame[];
  /** The same messages as text. */
  readonly texts: readonly string[];
  /** Sends each message as a frame of its own: objects as JSON, strings unchanged. */
  send(...messages: (object | string)[]): void;
  /** Starts an operation; `messageAdded` unless another query is given. */
  subscribe(id: string, variables: object, query?: string): void;
  /** Resolves to the first `count` frames of this type and id; rejects if the socket closes before. */
  received<Type extends Frame['type']>(
    type: Type,
    id?: string,
    count?: number,
  ): Promise<readonly FrameOf<Type>[]>;
  readonly closed: Promise<{ code: number; reason: string }>;
  /** Stops reading, so that the network's buffers fill up. A close is not noticed until reading resumes. */
  pause(): void;
  resume(): void;
  /** Sends a WebSocket ping frame, not a ping message of the protocol. */
  ping(payload: string): void;
  /** Bytes that were not sent yet. */
  unsentBytes(): number;
  /** Drops the connection without a closing handshake, like a lost network. */
  destroy(): void;
}

export interface RawSocketOptions {
  readonly protocols?: string[];
  readonly headers?: Record<string, string>;
}

/** Resolves when the socket is open; rejects if the server does not accept it. It is closed at the end of the test file. */
export async function openRawSocket(url: string, options: RawSocketOptions = {}): Promise<RawSocket> {
  const { protocols = ['graphql-transport-ws'], headers = {} } = options;
  const socket = new WebSocket(url, protocols, { headers });
  const frames: Frame[] = [];
  const texts: string[] = [];
  const waiting = new Set<() => void>();
  let isClosed = false;
  const check = (): void => {
    for (const waiter of [...waiting]) waiter();
  };
  socket.on('message', (data) => {
    texts.push(String(data));
    // The test that reads the frame checks it.
    frames.push(JSON.parse(String(data)) as Frame);
    check();
  });
  const closed = new Promise<{ code: number; reason: string }>((resolve) => {
    socket.once('close', (code, reason) => {
      isClosed = true;
      check();
      resolve({ code, reason: String(reason) });
    });
  });
  const stop = stopAtEnd(async () => socket.terminate());
  void closed.then(stop);
  await once(socket, 'open');
  // `closed` follows.
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
          if (found.length < count && !isClosed) return;
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

/** A socket whose `connection_init` the server has acknowledged. */
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
