import type { IncomingMessage } from 'node:http';

/**
 * Returns the client's IP address. Each trusted proxy appends the address of its peer to `X-Forwarded-For`, so the client
 * is the entry that many places from the right; entries further left are set by the client and not trusted.
 *
 * @param trustedProxies number of proxies in front of this server; with 0, the header is ignored.
 */
export function clientAddress(request: IncomingMessage, trustedProxies: number): string {
  const direct = request.socket.remoteAddress ?? 'unknown';
  if (trustedProxies === 0) return direct;
  const forwarded = [request.headers['x-forwarded-for'] ?? []].flat().join(',').split(',');
  const hops = forwarded.map((hop) => hop.trim()).filter((hop) => hop !== '');
  return hops.at(-trustedProxies) ?? hops[0] ?? direct;
}
