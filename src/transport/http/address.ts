import type { IncomingMessage } from 'node:http';
import { isIPv4, isIPv6 } from 'node:net';
import type { Log } from '../../domain/ports.js';

/** Finds out the addresses of clients. */
export interface Addresses {
  /** As `clientAddress` does. */
  of(request: IncomingMessage): string;
  /** The address of a TCP connection; null if it is that of a proxy. */
  ofPeer(remoteAddress: string | undefined): string | null;
  /** Whether requests come through a proxy that is not configured, so that different clients have the same address. */
  areUnknown(): boolean;
}

/** @param trustedProxies number of proxies in front of this server. */
export function createAddresses(trustedProxies: number, log: Log): Addresses {
  let isProxied = false;
  return {
    of(request) {
      const { 'x-forwarded-for': addresses, forwarded = addresses } = request.headers;
      if (trustedProxies === 0 && !isProxied && forwarded !== undefined) {
        isProxied = true;
        log.warn(
          {},
          'Requests have the header X-Forwarded-For or Forwarded, but TRUSTED_PROXIES is 0: set it to the number of proxies. Until then, all clients behind one share its address, and limits by address do not apply to those who are signed in',
        );
      }
      return clientAddress(request, trustedProxies);
    },
    ofPeer: (remoteAddress) => (trustedProxies === 0 ? networkOf(remoteAddress ?? 'unknown') : null),
    areUnknown: () => isProxied,
  };
}

/**
 * Returns the client's IP address, or its network for IPv6: one subscriber line has a whole /64. Each trusted proxy appends
 * the address of its peer to `X-Forwarded-For`, or to `Forwarded` if there is no such header, so the client is the entry that many places from the right; entries further
 * left are set by the client and not trusted.
 *
 * @param trustedProxies number of proxies in front of this server; with 0, the header is ignored.
 */
export function clientAddress(request: IncomingMessage, trustedProxies: number): string {
  const direct = request.socket.remoteAddress ?? 'unknown';
  if (trustedProxies === 0) return networkOf(direct);
  const { 'x-forwarded-for': addresses, forwarded: standard = '' } = request.headers;
  const forwarded =
    addresses === undefined ? forwardedFor(standard) : [addresses].flat().join(',').split(',');
  const hops = forwarded.map((hop) => hop.trim()).filter((hop) => hop !== '');
  return networkOf(hops.at(-trustedProxies) ?? hops[0] ?? direct);
}

/** The addresses of the header `Forwarded` (RFC 7239): `for=192.0.2.60;proto=https, for="[2001:db8::1]:4711"`. */
function forwardedFor(header: string): string[] {
  return [...header.matchAll(/(?:^|[;,])\s*for=(?:"([^"]*)"|([^;,\s]*))/gi)].map(
    ([, quoted, plain]) => quoted ?? plain ?? '',
  );
}

/** Entries that are no addresses count as they are, up to this length. */
const MAX_NAME_CHARACTERS = 64;

/** An address without its port and brackets; of an IPv6 address, the first 64 bits. */
function networkOf(entry: string): string {
  const [, bracketed, withPort] = /^\[([^\]]*)\](?::\d+)?$|^([^:]*):\d+$/.exec(entry) ?? [];
  const address = bracketed ?? withPort ?? entry;
  if (isIPv4(address)) return address;
  if (!isIPv6(address)) return entry.slice(0, MAX_NAME_CHARACTERS);
  const [, mapped] = /^::ffff:([\d.]+)$/i.exec(address) ?? [];
  if (mapped !== undefined) return mapped;
  // Serialized by the URL standard, which also removes leading zeros; a zone (`%eth0`) is not part of the address.
  const text = new URL(`http://[${address.split('%')[0]}]`).hostname.slice(1, -1);
  const [head = '', tail] = text.split('::');
  const first = head === '' ? [] : head.split(':');
  const last = tail === undefined || tail === '' ? [] : tail.split(':');
  const zeros = Array<string>(tail === undefined ? 0 : 8 - first.length - last.length).fill('0');
  return `${[...first, ...zeros, ...last].slice(0, 4).join(':')}::/64`;
}
