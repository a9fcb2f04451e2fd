import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { connect, isIP, type Socket } from 'node:net';
import { Duplex } from 'node:stream';
import { type ConnectionOptions, connect as connectTls } from 'node:tls';
import type { PostgresAddress, PostgresHost, PostgresTls } from '../../lib/postgres-url.js';
import { withTimeout } from '../../lib/timeout.js';
import { StartupError } from '../../startup-error.js';

/** Time for each host, in ms, unless the URL says otherwise. */
const CONNECT_TIMEOUT_MS = 5_000;
/** The message by which a client asks for TLS (PostgreSQL documentation, section 55.7), and the answer that grants it. */
const SSL_REQUEST = Buffer.from([0, 0, 0, 8, 4, 210, 22, 47]);
const GRANTED = 'S'.charCodeAt(0);
/** Stands for the authorities that Node knows, which are those without a `ca`. */
const SYSTEM = 'system';
/** The protocol that a connection which begins with TLS has to name. */
const ALPN_PROTOCOL = 'postgresql';

/**
 * Opens a connection to the first host that accepts one, with TLS as the URL demands. The driver (postgres.js 3.4) could do
 * that too, but it never notices that a server has refused TLS, and checks no certificate by an authority of one's own.
 *
 * @throws StartupError if TLS is impossible; otherwise the error of the last host.
 */
export async function openSocket(address: PostgresAddress): Promise<Socket> {
  const { hosts, connectTimeoutMs } = address;
  const timeoutMs = connectTimeoutMs ?? CONNECT_TIMEOUT_MS;
  let failure: unknown;
  for (const host of hosts) {
    const socket = connectTo(host);
    try {
      return await withTimeout(secure(socket, host.host, address.tls), timeoutMs, () => timedOut(host));
    } catch (error) {
      socket.destroy();
      failure = error;
    }
  }
  throw failure;
}

/**
 * Like `openSocket`, for the driver: a connection whose opening rejects, or that ends before the driver has written to it,
 * would be lost to its pool for ever.
 */
export async function openSocketOrFail(address: () => Promise<PostgresAddress>): Promise<Duplex> {
  try {
    return await openSocket(await address());
  } catch (error) {
    const failure = error instanceof Error ? error : new Error(String(error));
    return new Duplex({ read() {}, write: (_chunk, _encoding, done) => done(failure) });
  }
}

function connectTo({ host, port }: PostgresHost): Socket {
  return host.startsWith('/') ? connect(`${host}/.s.PGSQL.${port}`) : connect(port, host);
}

/** Resolves to the socket to use when the server is reached, and TLS is set up where it is wanted. */
async function secure(socket: Socket, host: string, tls: PostgresTls): Promise<Socket> {
  await once(socket, 'connect');
  // libpq uses no TLS on Unix sockets either.
  if (tls.mode === 'disable' || host.startsWith('/')) return socket;
  if (!tls.isDirect && !(await isGranted(socket))) {
    if (tls.mode === 'allow' || tls.mode === 'prefer') return socket;
    throw new StartupError(
      `The database server offers no TLS, but the sslmode of DATABASE_URL is ${tls.mode}: turn it on there (ssl = on), or set sslmode=disable.`,
    );
  }
  const secured = connectTls({ socket, ...(await optionsOf(host, tls)) });
  await once(secured, 'secureConnect');
  return secured;
}

async function isGranted(socket: Socket): Promise<boolean> {
  socket.write(SSL_REQUEST);
  // An error or the end of the connection rejects.
  const [answer] = (await Promise.race([once(socket, 'data'), once(socket, 'close').then(closed)])) as [
    Buffer,
  ];
  return answer[0] === GRANTED;
}

async function optionsOf(host: string, tls: PostgresTls): Promise<ConnectionOptions> {
  const { mode, rootCertificate, certificate, key, keyPassphrase, isDirect } = tls;
  const isChecked = mode === 'verify-ca' || mode === 'verify-full';
  return {
    rejectUnauthorized: isChecked,
    // Without it, Node would expect the certificate of `localhost`.
    host,
    ...(isIP(host) ? {} : { servername: host }),
    ...(mode === 'verify-ca' ? { checkServerIdentity: () => undefined } : {}),
    ...(rootCertificate === null || rootCertificate === SYSTEM
      ? {}
      : { ca: await readNamed('sslrootcert', rootCertificate) }),
    ...(certificate === null ? {} : { cert: await readNamed('sslcert', certificate) }),
    ...(key === null ? {} : { key: await readNamed('sslkey', key) }),
    ...(keyPassphrase === null ? {} : { passphrase: keyPassphrase }),
    ...(isDirect ? { ALPNProtocols: [ALPN_PROTOCOL] } : {}),
  };
}

async function readNamed(parameter: string, file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8');
  } catch (error) {
    throw new StartupError(
      `The file ${file}, which ${parameter} in DATABASE_URL names, cannot be read: ${(error as NodeJS.ErrnoException).code}.`,
    );
  }
}

function closed(): never {
  throw Object.assign(new Error('The server has closed the connection.'), { code: 'ECONNRESET' });
}

function timedOut({ host, port }: PostgresHost): Error {
  return Object.assign(new Error(`${host}:${port} does not answer.`), { code: 'CONNECT_TIMEOUT' });
}
