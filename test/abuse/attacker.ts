import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import WebSocket from 'ws';

/** A client at an address of the loopback network. */
export interface Attacker {
  readonly address: string;
  /** Opens a TCP connection, and reads nothing until told to. Never rejects: a refused one is destroyed. */
  tcp(): Promise<Socket>;
  /** Posts an operation by a connection of its own. Resolves to the status and the body; status 0 if there is none. */
  post(
    body: object | string,
    token?: string,
    headers?: readonly string[],
  ): Promise<{ status: number; text: string }>;
  /** Opens a WebSocket; null if it is refused. */
  socket(): Promise<WebSocket | null>;
  /** Closes everything that is still open. */
  close(): void;
}

export function createAttacker(url: string, address: string): Attacker {
  const { hostname, port, host, pathname } = new URL(url);
  const open = new Set<{ destroy(): void }>();

  async function tcp(): Promise<Socket> {
    const socket = connect({ host: hostname, port: Number(port), localAddress: address });
    open.add(socket);
    socket.on('error', () => {}).once('close', () => open.delete(socket));
    await once(socket, 'connect').catch(() => socket.destroy());
    return socket;
  }

  return {
    address,
    tcp,
    async post(body, token, headers = []) {
      const socket = await tcp();
      const text = typeof body === 'string' ? body : JSON.stringify(body);
      const lines = [
        `POST ${pathname} HTTP/1.1`,
        `host: ${host}`,
        'connection: close',
        'content-type: application/json',
        `content-length: ${Buffer.byteLength(text)}`,
        ...(token === undefined ? [] : [`authorization: Bearer ${token}`]),
        ...headers,
      ];
      let answer = '';
      socket.setEncoding('utf8').on('data', (part: string) => {
        answer += part;
      });
      socket.write(`${lines.join('\r\n')}\r\n\r\n${text}`);
      if (!socket.closed) await new Promise((resolve) => socket.once('close', resolve));
      return {
        status: Number(/^HTTP\/1\.1 (\d+)/.exec(answer)?.[1] ?? 0),
        text: answer.slice(answer.indexOf('\r\n\r\n') + 4),
      };
    },
    async socket() {
      const socket = new WebSocket(url.replace('http', 'ws'), ['graphql-transport-ws'], {
        localAddress: address,
      });
      const handle = { destroy: () => socket.terminate() };
      open.add(handle);
      socket.on('error', () => {}).once('close', () => open.delete(handle));
      await Promise.race([once(socket, 'open').catch(() => {}), once(socket, 'close')]);
      return socket.readyState === WebSocket.OPEN ? socket : null;
    },
    close() {
      for (const each of open) each.destroy();
    },
  };
}

/** Runs a task again and again, as often at once as given, until the time is over. Returns how often. */
export async function repeat(
  durationMs: number,
  concurrency: number,
  task: (count: number) => Promise<unknown>,
): Promise<number> {
  const end = performance.now() + durationMs;
  let count = 0;
  const worker = async (): Promise<void> => {
    while (performance.now() < end) {
      count += 1;
      await task(count);
      // Even if everything is refused at once, the attacker leaves the machine some time.
      await sleep(1);
    }
  };
  await Promise.all(Array.from({ length: concurrency }, worker));
  return count;
}
