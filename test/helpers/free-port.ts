import { once } from 'node:events';
import { createServer } from 'node:net';

/**
 * Below the ephemeral ports of operating systems (from 32768 on Linux, 49152 elsewhere): an outgoing connection could take one
 * of those while its server is being restarted.
 */
const MIN_PORT = 20_000;
const MAX_PORT = 32_000;

async function isFree(port: number): Promise<boolean> {
  const server = createServer();
  try {
    await once(server.listen(port, '127.0.0.1'), 'listening');
    return true;
  } catch {
    return false;
  } finally {
    server.close();
  }
}

/** A free port of 127.0.0.1. It is random, so that two concurrent runs rarely collide. */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = MIN_PORT + Math.floor(Math.random() * (MAX_PORT - MIN_PORT));
    if (await isFree(port)) return port;
  }
}
