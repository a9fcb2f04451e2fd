import type { IncomingMessage } from 'node:http';
import type { AllowedOrigins } from '../../config.js';

const LOCALHOST = new Set(['localhost', '127.0.0.1', '[::1]']);

/**
 * Whether a page of this origin may use the API: same-origin pages, origins of the allow-list and, outside of production,
 * any port of localhost. Applies to CORS and to WebSocket upgrades, which CORS does not cover.
 *
 * @param host the `Host` header of the request.
 */
export function isAllowedOrigin(allowed: AllowedOrigins, origin: string, host: string | undefined): boolean {
  if (allowed.any || allowed.exact.has(origin)) return true;
  if (!URL.canParse(origin)) return false;
  const url = new URL(origin);
  // Behind a proxy that terminates TLS, our own scheme is unknown, so only hosts are compared.
  return url.host === host || (allowed.localhost && LOCALHOST.has(url.hostname));
}

/** Like `isAllowedOrigin`, for a request. Without an `Origin` header, it does not come from a page of another site. */
export function hasAllowedOrigin(allowed: AllowedOrigins, request: IncomingMessage): boolean {
  const { origin, host } = request.headers;
  return origin === undefined || isAllowedOrigin(allowed, origin, host);
}

/** The CORS headers of a response; none if the origin is not allowed. */
export function corsHeaders(
  allowed: AllowedOrigins,
  { headers: { origin, host } }: IncomingMessage,
): Readonly<Record<string, string>> {
  if (origin === undefined || !isAllowedOrigin(allowed, origin, host)) return {};
  // No `access-control-allow-credentials`: tokens are in the `authorization` header, and cookies are never read.
  return {
    'access-control-allow-origin': origin,
    'access-control-allow-methods': 'GET, POST',
    'access-control-allow-headers': 'authorization, content-type, accept',
    'access-control-max-age': '600',
  };
}
