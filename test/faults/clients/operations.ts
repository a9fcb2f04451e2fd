import { once } from 'node:events';
import WebSocket from 'ws';
import type { GraphQLError, Result } from '../../helpers/client.js';
import { stopAtEnd } from '../../helpers/stopping.js';

/** Receives the results of one operation. */
export interface Sink<Data> {
  next(data: Data): void;
  /** Called once when the server ends the operation: with its errors, or with null for `complete`. */
  ended(errors: readonly GraphQLError[] | null): void;
}

/**
 * One socket with many short operations, in raw protocol messages. It is leaner than the standard client, and reuses ids as
 * soon as they are free.
 */
export interface Operations {
  /** Starts an operation, and returns a function that completes it. Its sink is not called after that. */
  start<Data>(query: string, variables: object, sink: Sink<Data>): () => void;
  /** Resolves to the data of a query; rejects on any error. */
  request<Data>(query: string, variables: object): Promise<Data>;
  /** Drops the connection without a closing handshake. No sink is called. */
  destroy(): void;
}

interface Frame {
  readonly type: string;
  readonly id?: string;
  // The scenario that reads the payload checks it.
  readonly payload?: unknown;
}

/** Resolves when the server has accepted the token. If the server closes the socket, all of its operations end. */
export async function openOperations(url: string, token: string): Promise<Operations> {
  const socket = new WebSocket(url, 'graphql-transport-ws');
  const sinks = new Map<string, Sink<unknown>>();
  const free: string[] = [];
  let ids = 0;
  const send = (message: object): void => socket.send(JSON.stringify(message));

  function end(id: string, errors: readonly GraphQLError[] | null): void {
    const sink = sinks.get(id);
    sinks.delete(id);
    // The id of an operation that we completed becomes free with its pong.
    if (sink) free.push(id);
    sink?.ended(errors);
  }

  function take({ type, id = '', payload }: Frame): void {
    if (type === 'next') {
      const { data, errors } = payload as Result<unknown>;
      if (data) sinks.get(id)?.next(data);
      else end(id, errors ?? [{ message: 'Delivered without data.' }]);
    } else if (type === 'error') end(id, payload as readonly GraphQLError[]);
    else if (type === 'complete') end(id, null);
    else if (type === 'pong') free.push((payload as { id: string }).id);
  }

  function start<Data>(query: string, variables: object, sink: Sink<Data>): () => void {
    const id = free.pop() ?? String(++ids);
    sinks.set(id, sink as Sink<unknown>);
    send({ type: 'subscribe', id, payload: { query, variables } });
    return () => {
      if (!sinks.delete(id)) return;
      send({ type: 'complete', id });
      // Deliveries that were in flight arrive before the pong; after it, the id can be reused.
      send({ type: 'ping', payload: { id } });
    };
  }

  await once(socket, 'open');
  const stop = stopAtEnd(async () => socket.terminate());
  socket.on('error', () => {}); // The close event follows.
  socket.once('close', (code, reason) => {
    stop();
    for (const id of [...sinks.keys()]) end(id, [{ message: `The socket was closed: ${code} ${reason}` }]);
  });
  send({ type: 'connection_init', payload: { token } });
  await once(socket, 'message');
  socket.on('message', (data) => take(JSON.parse(String(data)) as Frame));

  return {
    start,
    request: <Data>(query: string, variables: object) =>
      new Promise<Data>((resolve, reject) => {
        start<Data>(query, variables, {
          next: resolve,
          ended: (errors) => reject(new Error(`No data: ${JSON.stringify(errors)}`)),
        });
      }),
    destroy() {
      sinks.clear();
      socket.terminate();
    },
  };
}
