import { readFileSync } from 'node:fs';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { TLSSocket } from 'node:tls';
import { fileURLToPath } from 'node:url';
import { stopAtEnd } from './stopping.js';

/** The path of a certificate or key for tests. */
export const certificate = (name: string): string =>
  fileURLToPath(new URL(`./certificates/${name}`, import.meta.url));

interface TlsFront {
  readonly port: number;
  /** Connections with TLS so far. */
  secured(): number;
  /** Whether it offers TLS from now on, as a server with `ssl = off` does not. */
  offer(offered: boolean): void;
  stop(): Promise<void>;
}

const SSL_REQUEST_LENGTH = 8;

/**
 * Starts a server in front of a Postgres that takes part in TLS as a Postgres with `ssl = on` does, with a certificate for
 * `localhost`. It is stopped at the end of the test file at the latest.
 *
 * @param clients whether clients need a certificate too.
 */
export async function startTls(
  postgresPort: number,
  { clients = false }: { clients?: boolean } = {},
): Promise<TlsFront> {
  const open = new Set<Socket>();
  let secured = 0;
  let isOffered = true;
  const server = createServer((client) => {
    open.add(client);
    client.on('error', () => {}).once('close', () => open.delete(client));
    client.once('data', (first) => {
      if (first.length !== SSL_REQUEST_LENGTH) {
        // A client that wants no TLS. Postgres itself would accept it too.
        const upstream = connect(postgresPort, '127.0.0.1').on('error', () => client.destroy());
        upstream.write(first);
        client.pipe(upstream).pipe(client);
        return;
      }
      client.write(isOffered ? 'S' : 'N');
      const upstream = connect(postgresPort, '127.0.0.1').on('error', () => client.destroy());
      upstream.once('close', () => client.destroy());
      if (!isOffered) {
        client.pipe(upstream).pipe(client);
        return;
      }
      const tls = new TLSSocket(client, {
        isServer: true,
        cert: readFileSync(certificate('server.pem')),
        key: readFileSync(certificate('server.key')),
        ca: readFileSync(certificate('ca.pem')),
        requestCert: clients,
        rejectUnauthorized: clients,
      });
      tls.once('secure', () => {
        secured += 1;
      });
      tls.on('error', () => client.destroy());
      tls.pipe(upstream).pipe(tls);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const stop = async (): Promise<void> => {
    stopped();
    for (const socket of open) socket.destroy();
    await new Promise((resolve) => server.close(resolve));
  };
  const stopped = stopAtEnd(stop);
  // A TCP server has an address with a port.
  const { port } = server.address() as AddressInfo;
  return {
    port,
    secured: () => secured,
    offer: (offered) => {
      isOffered = offered;
    },
    stop,
  };
}
