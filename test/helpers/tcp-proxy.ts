import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { stopAtEnd } from './stopping.js';

/** A network in front of a local server, which can fail like a real one. */
export interface TcpProxy {
  readonly port: number;
  /** Number of connections since the last `cut`, without those that have closed before they lost packets. */
  connections(): number;
  /**
   * Drops all packets in both directions from now on, including the end of a connection. New connections are accepted, but
   * carry no data either. Neither side notices, as with a router that has lost its connection table.
   */
  swallow(): void;
  /** Lets new connections pass again; connections that lost packets stay silent forever. */
  restore(): void;
  /** Closes all current connections, which both sides notice at once. */
  cut(): void;
  /** May be called repeatedly. */
  stop(): Promise<void>;
}

interface Link {
  readonly ends: readonly Socket[];
  mute: boolean;
}

/**
 * Starts a proxy in front of this port. It is stopped at the end of the test file at the latest.
 *
 * @param port of the proxy; 0 takes a free one.
 */
export async function startTcpProxy(targetPort: number, port = 0): Promise<TcpProxy> {
  const links = new Set<Link>();
  let swallowing = false;

  // Half-open sockets: the proxy itself decides whether to forward the end of a connection.
  const server = createServer({ allowHalfOpen: true }, (client) => {
    const upstream = connect({ port: targetPort, host: '127.0.0.1', allowHalfOpen: true });
    const link: Link = { ends: [client, upstream], mute: swallowing };
    links.add(link);
    for (const [from, to] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      from.on('data', (chunk) => {
        if (!link.mute) to.write(chunk);
      });
      from.on('end', () => {
        if (!link.mute) to.end();
      });
      from.on('error', () => {});
      from.on('close', () => {
        if (link.mute) return;
        links.delete(link);
        to.destroy();
      });
    }
  });
  server.listen(port, '127.0.0.1');
  await once(server, 'listening');

  const cut = (): void => {
    for (const { ends } of links) for (const end of ends) end.destroy();
    links.clear();
  };
  const stop = async (): Promise<void> => {
    stopped();
    const closed = new Promise<void>((resolve) => server.close(() => resolve()));
    cut();
    await closed;
  };
  const stopped = stopAtEnd(stop);
  return {
    // The address of a server that listens on TCP is an AddressInfo.
    port: (server.address() as AddressInfo).port,
    connections: () => links.size,
    swallow() {
      swallowing = true;
      for (const link of links) link.mute = true;
    },
    restore() {
      swallowing = false;
    },
    cut,
    stop,
  };
}
