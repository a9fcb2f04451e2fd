import { once } from 'node:events';
import { createServer } from 'node:net';

/**
 * Below what operating systems hand out to outgoing connections (from 32768 on Linux, 49152 elsewhere): one of
 * those could take the port while its server is being restarted.
 */
const LOWEST = 20_000;
const HIGHEST = 32_000;

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

/** A port of 127.0.0.1 on which nobody listens right now. Random, so that two runs side by side rarely collide. */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = LOWEST + Math.floor(Math.random() * (HIGHEST - LOWEST));
    if (await isFree(port)) return port;
  }
}
