import type { IncomingMessage } from 'node:http';
import { LRUCache } from 'lru-cache';
import Negotiator from 'negotiator';

/** Content negotiation by the `Accept` and `Accept-Encoding` headers (RFC 9110, section 12.5). */

export type Encoding = 'br' | 'gzip' | 'identity';

export const JSON_TYPE = 'application/json';
export const EVENT_STREAM_TYPE = 'text/event-stream';
const RESPONSE_JSON_TYPE = 'application/graphql-response+json';

/** Types that GET /graphql can return. HTML is last, so that a wildcard does not select it. */
const PAGE_OR_DATA = [
  RESPONSE_JSON_TYPE,
  JSON_TYPE,
  EVENT_STREAM_TYPE,
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

/** The media types that a client accepts as a response of the API. */
export interface AcceptedTypes {
  /** For a single result, and for a subscription that cannot start; null if the client accepts none that we have. */
  readonly single: string | null;
  /** Whether a subscription may be sent as server-sent events. */
  readonly eventStream: boolean;
}

/** Clients send a handful of different `Accept` headers. */
const acceptedTypesCache = new LRUCache<string, AcceptedTypes>({ max: 100 });

/**
 * Selects the types of a response by media ranges and their qualities. A client that accepts JSON gets a single result as
 * JSON, even if it prefers an event stream.
 *
 * @param accept the `Accept` header; absent or empty, it accepts everything.
 */
export function acceptedTypes(accept: string | undefined): AcceptedTypes {
  const header = accept || '*/*';
  let types = acceptedTypesCache.get(header);
  if (!types) {
    types = negotiate(header);
    acceptedTypesCache.set(header, types);
  }
  return types;
}

function negotiate(accept: string): AcceptedTypes {
  const negotiator = new Negotiator({ headers: { accept } });
  // All our types are UTF-8: a range with another charset does not match.
  const accepts = (types: readonly string[]) =>
    mediaTypeOf(negotiator.mediaType(types.map((type) => `${type}; charset=utf-8`)));
  const eventStream = accepts([EVENT_STREAM_TYPE]);
  return {
    // For wildcards, the first one.
    single: accepts([JSON_TYPE, RESPONSE_JSON_TYPE]) ?? eventStream ?? accepts(['multipart/mixed']),
    eventStream: eventStream !== null,
  };
}

export function isJsonType(type: string): boolean {
  return type === JSON_TYPE || type === RESPONSE_JSON_TYPE;
}

/** The media type of a header field such as `Content-Type`, in lower case and without its parameters. */
export function mediaTypeOf(value: string | undefined): string | null {
  return value?.split(';', 1)[0]?.trim().toLowerCase() || null;
}
