import type { IncomingMessage } from 'node:http';
import type { AllowedOrigins } from '../../config/index.js';
import type { Log } from '../../domain/ports.js';
import { isLocalHost, normalizeHost, normalizeOrigin } from '../../lib/origin.js';

/** Refused origins that are remembered, so that each is logged once. Further ones are refused without a log entry. */
const MAX_LOGGED_ORIGINS = 1000;
/** Characters of an origin that are logged. A domain name has at most 253. */
const MAX_LOGGED_CHARACTERS = 300;

/** How long browsers may cache the response to a preflight, in seconds. */
const PREFLIGHT_MAX_AGE_SECONDS = 600;

/** The decision on the `Origin` of a request. */
export interface OriginDecision {
  readonly isAllowed: boolean;
  /** The headers of every response to the request, whatever its status. */
  readonly headers: Readonly<Record<string, string>>;
}

/** Decides which web pages may use the API, by CORS and, for WebSocket upgrades, which CORS does not cover, by refusal. */
export interface Origins {
  decide(request: IncomingMessage): OriginDecision;
  /** Logs a warning about a refused request, once per origin. */
  logRefused(request: IncomingMessage): void;
}

/** What a page of another origin may read of a response, besides its body. */
const EXPOSED_HEADERS = 'Retry-After, X-Request-Id';

/** The response has no CORS headers, but depends on the origin: a shared cache must keep one per origin. */
const WITHOUT_CORS = { vary: 'Origin' };

export function createOrigins(allowed: AllowedOrigins, log: Log): Origins {
  const logged = new Set<string>();

  return {
    decide(request) {
      const { origin, host } = request.headers;
      // Without an `Origin` header, the request does not come from a page of another site.
      if (origin === undefined) return { isAllowed: true, headers: WITHOUT_CORS };
      if (!isAllowedOrigin(allowed, origin, host))
        return { isAllowed: isSameOrigin(request), headers: WITHOUT_CORS };
      return {
        isAllowed: true,
        headers: {
          ...WITHOUT_CORS,
          'access-control-allow-origin': origin,
          'access-control-expose-headers': EXPOSED_HEADERS,
          ...(mayUseCredentials(allowed, origin) ? { 'access-control-allow-credentials': 'true' } : {}),
          ...(request.method === 'OPTIONS' ? preflightHeaders(request) : {}),
        },
      };
    },

    logRefused({ headers: { origin = '', host } }) {
      const shown = origin.slice(0, MAX_LOGGED_CHARACTERS);
      if (logged.has(shown) || logged.size === MAX_LOGGED_ORIGINS) return;
      logged.add(shown);
      log.warn(
        { origin: shown, host },
        'Refused requests from web pages of this origin: if they may use the API, add it to ALLOWED_ORIGINS',
      );
      if (logged.size === MAX_LOGGED_ORIGINS)
        log.warn({ logged: logged.size }, 'Too many refused origins: further ones are not logged');
    },
  };
}

/**
 * Whether a page of this origin may use the API: pages of the server's own host, origins of the allow-list and, outside of
 * production, pages of this machine and its local network.
 *
 * @param host the `Host` header of the request.
 */
export function isAllowedOrigin(allowed: AllowedOrigins, origin: string, host: string | undefined): boolean {
  if (allowed.any || allowed.exact.has(normalizeOrigin(origin))) return true;
  if (!URL.canParse(origin)) return false;
  const url = new URL(origin);
  // Behind a proxy that terminates TLS, our own scheme is unknown, so only hosts are compared.
  return isSameHost(url, host) || (allowed.local && isLocalHost(url.hostname));
}

/** The default port of the page's scheme may be named in one of them only. */
function isSameHost({ protocol, host: ofPage }: URL, host: string | undefined): boolean {
  const scheme = protocol.slice(0, -1);
  return host !== undefined && normalizeHost(host, scheme) === normalizeHost(ofPage, scheme);
}

/**
 * Whether the browser may send credentials (cookies, HTTP authentication, `credentials: 'include'`) and read the response.
 * With `*`, that would apply to every page of the web.
 */
function mayUseCredentials(allowed: AllowedOrigins, origin: string): boolean {
  if (allowed.any) return false;
  if (allowed.exact.has(normalizeOrigin(origin))) return true;
  return allowed.local && URL.canParse(origin) && isLocalHost(new URL(origin).hostname);
}

/**
 * Whether the browser considers the request same-origin, although its `Host` differs from its `Origin`: a proxy has
 * replaced `Host`. Pages cannot set this header.
 */
function isSameOrigin({ headers, method }: IncomingMessage): boolean {
  return headers['sec-fetch-site'] === 'same-origin' && method !== 'OPTIONS';
}

/**
 * The requested headers are repeated, since `*` covers neither `Authorization` nor requests with credentials.
 */
function preflightHeaders({ headers }: IncomingMessage): Record<string, string> {
  const requested = headers['access-control-request-headers'];
  return {
    vary: 'Origin, Access-Control-Request-Headers',
    'access-control-allow-methods': 'GET, POST',
    ...(requested === undefined ? {} : { 'access-control-allow-headers': requested }),
    'access-control-max-age': String(PREFLIGHT_MAX_AGE_SECONDS),
  };
}
