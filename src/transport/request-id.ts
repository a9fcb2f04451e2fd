import { randomUUID } from 'node:crypto';
import type { IncomingMessage } from 'node:http';

/** As proxies and tracing tools write them. Anything else could be a secret by mistake, or fill the log. */
const REQUEST_ID = /^[\w.:/+=-]{1,128}$/;

/** The id that a proxy has given to the request, by `X-Request-Id`; null if there is none that can be used. */
export function givenRequestId({ headers }: IncomingMessage): string | null {
  const given = headers['x-request-id'];
  return typeof given === 'string' && REQUEST_ID.test(given) ? given : null;
}

/** The id of a request in the log and in its response. */
export function requestIdOf(request: IncomingMessage): string {
  return givenRequestId(request) ?? randomUUID();
}
