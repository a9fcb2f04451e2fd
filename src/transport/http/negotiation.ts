import type { IncomingMessage } from 'node:http';
import Negotiator from 'negotiator';

/** What a request asks for in its `Accept` and `Accept-Encoding` headers (RFC 9110, 12.5). */

export type Encoding = 'br' | 'gzip' | 'identity';

const JSON_TYPE = 'application/json';
const RESPONSE_JSON_TYPE = 'application/graphql-response+json';

/** What GET /graphql can return. HTML is last, so that a wildcard does not select it. */
const PAGE_OR_DATA = [
  RESPONSE_JSON_TYPE,
  JSON_TYPE,
  'text/event-stream',
  'multipart/mixed',
  'text/html',
] as const;

/**
 * Whether a request prefers HTML to every type of data, as a browser does. Where two types are equally welcome, Negotiator
 * picks the one that the header names first. Such a client gets data, so HTML must also win with the header reversed.
 */
export function prefersHtml({ headers }: IncomingMessage): boolean {
  const ranges = headers.accept?.split(',') ?? [];
  return [ranges, ranges.toReversed()].every(
    (each) => new Negotiator({ headers: { accept: each.join(',') } }).mediaType(PAGE_OR_DATA) === 'text/html',
  );
}

/** Negotiator 1.0 added the options; @types/negotiator describes 0.6. */
interface EncodingNegotiator {
  encoding(available: readonly Encoding[], options: { preferred: readonly Encoding[] }): string | undefined;
}

/** The encoding of a response: Brotli before gzip where both are equally welcome, and `identity` where nothing else is. */
export function preferredEncoding(request: IncomingMessage): Encoding {
  const negotiator: EncodingNegotiator = new Negotiator(request);
  const encoding = negotiator.encoding(['br', 'gzip', 'identity'], { preferred: ['br', 'gzip'] });
  return encoding === 'br' || encoding === 'gzip' ? encoding : 'identity';
}

/** The type of a GraphQL response, by the media range that asks for it. */
const RESULT_TYPES: ReadonlyMap<string, string> = new Map([
  [JSON_TYPE, JSON_TYPE],
  [RESPONSE_JSON_TYPE, RESPONSE_JSON_TYPE],
  ['application/*', JSON_TYPE],
  ['*/*', JSON_TYPE],
]);

/**
 * The type of a GraphQL response, exactly as Yoga chooses it: the first range that can be met, whatever its quality. That is
 * not what RFC 9110 says and so not what Negotiator does, but a response must not depend on which of the two ways it took.
 *
 * @returns null if no range can be met, or if one has a charset: Yoga then decides.
 */
export function resultType(accept: string | undefined): string | null {
  if (!accept) return JSON_TYPE;
  if (accept.includes('charset')) return null;
  for (const range of accept.split(',')) {
    const type = RESULT_TYPES.get((range.split(';', 1)[0] ?? '').trim().toLowerCase());
    if (type) return type;
  }
  return null;
}
