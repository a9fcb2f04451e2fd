import { type Person, type Result, request } from './client.js';
import { openEventStream } from './event-stream.js';
import { openSocketOf } from './raw-socket.js';

/** Runs one operation, and resolves to its first result or its errors. */
export type Run = (
  query: string,
  variables?: object,
  url?: string,
) => Promise<Result<Record<string, unknown>>>;

export interface Caller {
  /** `http://HOST:PORT/graphql`, unless a call gives another one. */
  readonly url: string;
  readonly person: Person;
}

/** The transports by name. The caller is asked at each call, since tests create it in a hook. */
export function transportsOf(caller: () => Caller): Readonly<Record<'HTTP' | 'WebSocket' | 'SSE', Run>> {
  return {
    HTTP: (query, variables, url = caller().url) => request(url, query, variables, caller().person.token),

    async WebSocket(query, variables = {}, url = caller().url) {
      const socket = await openSocketOf(caller().person, url.replace('http', 'ws'));
      socket.subscribe('1', variables, query);
      const [frame] = await Promise.race([socket.received('next'), socket.received('error')]);
      socket.destroy();
      return frame?.type === 'next' ? frame.payload : { errors: frame?.payload ?? [] };
    },

    async SSE(query, variables = {}, url = caller().url) {
      const stream = await openEventStream(url, caller().person, variables, query);
      const [first] = await stream.received(1);
      stream.abort();
      return first?.result ?? {};
    },
  };
}
