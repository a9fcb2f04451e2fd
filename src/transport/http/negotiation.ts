import type { IncomingMessage } from 'node:http';
import Negotiator from 'negotiator';

/** Content negotiation by the `Accept` and `Accept-Encoding` headers (RFC 9110, section 12.5). */

export type Encoding = 'br' | 'gzip' | 'identity';

const JSON_TYPE = 'application/json';
const RESPONSE_JSON_TYPE = 'application/graphql-response+json';

/** Types that GET /graphql can return. HTML is last, so that a wildcard does not select it. */
const PAGE_OR_DATA = [
  RESPONSE_JSON_TYPE,
  JSON_TYPE,
  'text/event-stream',
  'multipart/mixed',
  'text/html',
] as const;

/**
 * Whether a request prefers HTML to every data type, as a browser does. If two types have equal quality, Negotiator picks
 * the first one in the header. Such a client gets data, so HTML must also win with the header reversed.
 */
export function prefersHtml({ headers }: IncomingMessage): boolean {
  const ranges = headers.accept?.split(',').map(withoutParameters) ?? [];
  return [ranges, ranges.toReversed()].every(
    (order) =>
      new Negotiator({ headers: { accept: order.join(',') } }).mediaType(PAGE_OR_DATA) === 'text/html',
  );
}

/** A media range with its quality alone: our types have no parameters, and Negotiator would require those of the range. */
function withoutParameters(range: string): string {
  const [type = '', ...parameters] = range.split(';');
  return [type, ...parameters.filter((parameter) => /^\s*q=/i.test(parameter))].join(';');
}

/** Negotiator 1.0 added the options; @types/negotiator covers 0.6. */
interface EncodingNegotiator {
  encoding(available: readonly Encoding[], options: { preferred: readonly Encoding[] }): string | undefined;
}

/** The encoding of a response. Brotli wins over gzip at equal quality; `identity` is the fallback. */
export function preferredEncoding(request: IncomingMessage): Encoding {
  const negotiator: EncodingNegotiator = new Negotiator(request);
  const encoding = negotiator.encoding(['br', 'gzip', 'identity'], { preferred: ['br', 'gzip'] });
  return encoding === 'br' || encoding === 'gzip' ? encoding : 'identity';
}

/** Maps media ranges to the type of the response. */
const RESULT_TYPES: ReadonlyMap<string, string> = new Map([
  [JSON_TYPE, JSON_TYPE],
  [RESPONSE_JSON_TYPE, RESPONSE_JSON_TYPE],
  ['application/*', JSON_TYPE],
  ['*/*', JSON_TYPE],
]);

/**
 * Selects the type of a GraphQL response exactly as Yoga does: the first supported range, regardless of its quality. This
 * differs from RFC 9110 and Negotiator, but the direct path and Yoga must give the same response.
 *
 * @returns null if no range is supported or if one has a charset; Yoga then handles the request.
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
