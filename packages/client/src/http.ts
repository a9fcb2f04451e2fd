import type { Payload } from './documents.js';
import { absolute, environment } from './environment.js';
import { outcomeUnknown, ParleyError } from './errors.js';
import type { Requests } from './operation.js';
import type { Result } from './result.js';
import { resolveToken } from './token.js';

/** How long the token and the answer may take together, in ms. Parley answers within seconds. */
const TIMEOUT_MS = 15_000;

/**
 * Sends queries and mutations over HTTP, for the option `requests` of `createParleyClient`. A request without an answer
 * within 15 s counts as cut off: it is repeated if it is repeatable, and rejects with `OUTCOME_UNKNOWN` if not.
 */
export const http: Requests = ({ url, token }) => {
  return ({ payload, kind }, sink) => {
    const controller = new AbortController();
    const timer = setTimeout(() => controller.abort(), TIMEOUT_MS);
    let wasSent = false;
    let isOver = false;

    async function send(expired: boolean): Promise<Result> {
      const bearer = await resolveToken(token, expired);
      wasSent = true;
      const result = await post(absolute(url).replace(/^ws/, 'http'), payload, bearer, controller.signal);
      const isRefused = isExpired(result) && (kind !== 'once' || result.data == null);
      return isRefused && !expired && typeof token === 'function' ? send(true) : result;
    }
    function end(): void {
      isOver = true;
      clearTimeout(timer);
      controller.abort();
    }
    function succeed(result: Result): void {
      if (isOver) return;
      sink.next(result);
      if (isOver) return;
      end();
      sink.complete();
    }
    function fail(cause: unknown): void {
      if (isOver) return;
      end();
      if (cause instanceof ParleyError) sink.error(cause);
      else if (wasSent && kind === 'once') sink.error(outcomeUnknown(cause));
      else sink.error(new ParleyError('CONNECTION_LOST', 'The request failed.', { cause }));
    }

    send(false).then(succeed, fail);
    return end;
  };
};

/** @throws ParleyError if a retry makes no sense; another error if there was no answer, or only one of a gateway. */
async function post(
  url: string,
  payload: Payload,
  token: string | null,
  signal: AbortSignal,
): Promise<Result> {
  const response = await environment.fetch(url, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      accept: 'application/graphql-response+json, application/json',
      ...(token !== null && { authorization: `Bearer ${token}` }),
    },
    body: JSON.stringify(payload),
    signal,
  });
  const result: unknown = await response.json().catch(() => null);
  if (isResult(result)) return result;
  const message = `The server answered ${response.status} without a GraphQL result.`;
  if (response.status < 500 && response.status !== 429) throw new ParleyError('BAD_USER_INPUT', message);
  throw new Error(message);
}

function isResult(value: unknown): value is Result {
  return typeof value === 'object' && value !== null && ('data' in value || 'errors' in value);
}

function isExpired({ errors = [] }: Result): boolean {
  return errors.some(({ extensions }) => extensions?.reason === 'EXPIRED');
}
