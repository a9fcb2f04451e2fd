import type { IncomingMessage } from 'node:http';
import type { AllowedOrigins } from '../../config.js';

const LOCALHOST = new Set(['localhost', '127.0.0.1', '[::1]']);

/**
 * Whether a page of this origin may call us: our own pages, those of the allow-list, and outside production those of
 * a development server on this machine. The same for CORS and for WebSocket upgrades, which CORS does not cover.
 */
export function isAllowedOrigin(allowed: AllowedOrigins, origin: string, host: string | undefined): boolean {
  if (allowed.any || allowed.exact.has(origin)) return true;
  if (!URL.canParse(origin)) return false;
  const url = new URL(origin);
  // Behind a proxy that ends TLS our own scheme is unknown, so the host alone decides.
  return url.host === host || (allowed.localhost && LOCALHOST.has(url.hostname));
}

/** As `isAllowedOrigin`; a request without an origin does not come from a page of another site. */
export function hasAllowedOrigin(allowed: AllowedOrigins, request: IncomingMessage): boolean {
  const { origin, host } = request.headers;
  return origin === undefined || isAllowedOrigin(allowed, origin, host);
}

/** The headers by which a browser lets a page of another origin call us; none where it may not. */
export function corsHeaders(
  allowed: AllowedOrigins,
  { headers: { origin, host } }: IncomingMessage,
): Readonly<Record<string, string>> {
  if (origin === undefined || !isAllowedOrigin(allowed, origin, host)) return {};
  // Tokens travel in a header of the app's own: cookies are never read, so `credentials` are not allowed.
  return {
    'access-control-allow-origin': origin,
    'access-control-allow-methods': 'GET, POST',
    'access-control-allow-headers': 'authorization, content-type, accept',
    'access-control-max-age': '600',
  };
}
