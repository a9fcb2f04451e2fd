import { isIPv4 } from 'node:net';

/** Ports that URLs of a scheme leave out. */
const DEFAULT_PORTS: Readonly<Record<string, string>> = { http: '80', https: '443' };

/** An origin in lower case and without the default port of its scheme, so that equal ones are the same text. */
export function normalizeOrigin(origin: string): string {
  const [, scheme = '', host = ''] = /^([a-z][a-z\d+.-]*):\/\/(.*)$/i.exec(origin) ?? [];
  if (scheme === '') return origin;
  return `${scheme.toLowerCase()}://${normalizeHost(host, scheme.toLowerCase())}`;
}

/** A host, as in the header `Host`, in lower case and without the default port of a scheme. */
export function normalizeHost(host: string, scheme: string): string {
  const name = host.toLowerCase();
  const port = DEFAULT_PORTS[scheme];
  return port !== undefined && name.endsWith(`:${port}`) ? name.slice(0, -port.length - 1) : name;
}

/** Whether a host is this machine or in its local network: `localhost`, private and link-local addresses, `.local` names. */
export function isLocalHost(hostname: string): boolean {
  if (hostname === 'localhost' || hostname.endsWith('.localhost') || hostname.endsWith('.local')) return true;
  // Loopback, unique local and link-local addresses of IPv6.
  if (/^\[(?:::1|f[cd][\da-f]{2}:.*|fe[89ab][\da-f]:.*)\]$/.test(hostname)) return true;
  if (!isIPv4(hostname)) return false;
  const [first = 0, second = 0] = hostname.split('.').map(Number);
  return (
    first === 127 ||
    first === 10 ||
    (first === 172 && second >= 16 && second < 32) ||
    (first === 192 && second === 168) ||
    (first === 169 && second === 254)
  );
}
