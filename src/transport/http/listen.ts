import type { Server } from 'node:http';
import type { Config } from '../../config/index.js';
import { StartupError } from '../../startup-error.js';

/**
 * Listens on a host and a port; where `::` is not available, on `0.0.0.0` instead.
 *
 * @returns the port, chosen by the system if the given one is 0.
 * @throws StartupError if the port is in use or the address is not available.
 */
export async function listen(server: Server, { host, port }: Pick<Config, 'host' | 'port'>): Promise<number> {
  try {
    await listenOn(server, host, port);
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined;
    if (host === '::' && (code === 'EAFNOSUPPORT' || code === 'EADDRNOTAVAIL'))
      return listen(server, { host: '0.0.0.0', port });
    throw new StartupError(
      code === 'EADDRINUSE'
        ? `Port ${port} is in use by another program: set PORT to a free one.`
        : `Cannot listen on ${host} port ${port}: ${error instanceof Error ? error.message : error}.`,
    );
  }
  const address = server.address();
  return typeof address === 'object' && address !== null ? address.port : port;
}

function listenOn(server: Server, host: string, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen({ host, port }, () => {
      server.off('error', reject);
      resolve();
    });
  });
}
