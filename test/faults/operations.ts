import { once } from 'node:events';
import WebSocket from 'ws';
import type { GraphQLError, Result } from '../helpers/client.js';
import { stopInTheEnd } from '../helpers/stopping.js';

/** Takes what becomes of one operation. */
export interface Sink<Data> {
  next(data: Data): void;
  /** Called once, unless the operation was completed before: null where the server says `complete`. */
  ended(errors: readonly GraphQLError[] | null): void;
}

/**
 * One socket with many operations that come and go, by the protocol's own words: leaner than the standard client, and ids
 * are used again as soon as they are free.
 */
export interface Operations {
  /** Starts one; the function it returns completes it, after which its sink hears nothing more. */
  start<Data>(query: string, variables: object, sink: Sink<Data>): () => void;
  /** The data of a query; rejects on any error. */
  request<Data>(query: string, variables: object): Promise<Data>;
  /** Cuts the connection without a word; no sink hears of it. */
  destroy(): void;
}

interface Frame {
  readonly type: string;
  readonly id?: string;
  // What the server sends is checked by the scenario that reads it.
  readonly payload?: unknown;
}

/** Resolves when the server has acknowledged the token. A socket that the server closes ends all of its operations. */
export async function openOperations(url: string, token: string): Promise<Operations> {
  const socket = new WebSocket(url, 'graphql-transport-ws');
  const sinks = new Map<string, Sink<unknown>>();
  const free: string[] = [];
  let ids = 0;
  const say = (message: object): void => socket.send(JSON.stringify(message));

  function end(id: string, errors: readonly GraphQLError[] | null): void {
    const sink = sinks.get(id);
    sinks.delete(id);
    // An id that we have completed comes back with its pong.
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
    say({ type: 'subscribe', id, payload: { query, variables } });
    return () => {
      if (!sinks.delete(id)) return;
      say({ type: 'complete', id });
      // What was on its way when the server heard of it comes before the answer: then the id is nobody's.
      say({ type: 'ping', payload: { id } });
    };
  }

  await once(socket, 'open');
  const stop = stopInTheEnd(async () => socket.terminate());
  socket.on('error', () => {}); // Told by its close.
  socket.once('close', (code, reason) => {
    stop();
    for (const id of [...sinks.keys()]) end(id, [{ message: `The socket was closed: ${code} ${reason}` }]);
  });
  say({ type: 'connection_init', payload: { token } });
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
