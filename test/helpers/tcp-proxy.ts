import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { stopInTheEnd } from './stopping.js';

/** A network in front of a server of this machine, which may fail as networks do. */
export interface TcpProxy {
  readonly port: number;
  /**
   * From now on no packet passes, neither way, nor the news that a connection ended; new connections are accepted, and
   * just as mute. Neither side can tell, as with a router that forgot its connections.
   */
  swallow(): void;
  /** New connections pass again; those that lost packets stay mute for ever. */
  restore(): void;
  /** Ends all present connections, which both sides notice at once. */
  cut(): void;
  /** Harmless when repeated. */
  stop(): Promise<void>;
}

interface Link {
  readonly ends: readonly Socket[];
  mute: boolean;
}

/** It is stopped at the end of the test file, if the test didn't. Without a port of its own, it takes a free one. */
export async function startTcpProxy(targetPort: number, port = 0): Promise<TcpProxy> {
  const links = new Set<Link>();
  let swallowing = false;

  // Half open: an end that is seen is passed on by us, or not.
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
  const stopped = stopInTheEnd(stop);
  return {
    // A server that listens on TCP has such an address.
    port: (server.address() as AddressInfo).port,
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
