import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { stopAtEnd } from './stopping.js';

/** A TCP connection to an HTTP server, for bytes that no client sends. */
export interface RawHttp {
  readonly socket: Socket;
  /** Everything that the server has sent so far. */
  text(): string;
  isClosed(): boolean;
}

/** Connects to the host of a URL. The connection is closed at the end of the test file. */
export async function openRawHttp(url: string): Promise<RawHttp> {
  const { hostname, port } = new URL(url);
  const socket = connect(Number(port), hostname);
  const stop = stopAtEnd(async () => void socket.destroy());
  let text = '';
  socket.setEncoding('latin1').on('data', (part) => {
    text += part;
  });
  // A connection that the server closes while something is sent fails.
  socket.on('error', () => {});
  socket.once('close', stop);
  await once(socket, 'connect');
  return { socket, text: () => text, isClosed: () => socket.closed };
}
