import type { IncomingMessage } from 'node:http';

/**
 * Where a request comes from. Each trusted proxy has appended whom it heard from to `X-Forwarded-For`, so the client
 * is so many from the right; what stands further left is the client's own claim.
 */
export function clientAddress(request: IncomingMessage, trustedProxies: number): string {
  const direct = request.socket.remoteAddress ?? 'unknown';
  if (trustedProxies === 0) return direct;
  const forwarded = [request.headers['x-forwarded-for'] ?? []].flat().join(',').split(',');
  const hops = forwarded.map((hop) => hop.trim()).filter((hop) => hop !== '');
  return hops.at(-trustedProxies) ?? hops[0] ?? direct;
}
