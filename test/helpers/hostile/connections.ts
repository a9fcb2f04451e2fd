import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { createFrameReader, OPCODE } from '../../../bench/load/frames.js';
import { type Conversation, LAST_ID } from './conversation.js';
import { problemOfClose, problemOfMessage, problemOfResponses, type Tally } from './verdict.js';

/** Where to send hostile input. */
export interface Server {
  /** `http://HOST:PORT/graphql` */
  readonly url: string;
  /** The address to connect from. */
  readonly localAddress: string;
}

/**
 * How long to wait for the end of a connection, in ms. The server may wait for more itself, since it does not understand what
 * it has received as complete; then it is unknown when it has answered.
 */
const MAX_WAIT_MS = 80;
const INTERIM = 'HTTP/1.1 100';

/** Sends requests over a connection of their own. Resolves to what is wrong with the answers, or null. */
export async function sendRequests(server: Server, bytes: Buffer, tally: Tally): Promise<string | null> {
  const socket = await open(server);
  let answers = '';
  socket.setEncoding('latin1').on('data', (part: string) => {
    answers += part;
  });
  const closed = once(socket, 'close').catch(() => {});
  socket.write(bytes);
  await Promise.race([closed, sleep(MAX_WAIT_MS)]);
  socket.destroy();
  return problemOfResponses(answers.replaceAll(INTERIM, ''), tally);
}

/** Sends frames over a WebSocket of their own. Resolves to what is wrong with the answers, or null. */
export async function sendFrames(
  server: Server,
  { start, frames }: Conversation,
  tally: Tally,
): Promise<string | null> {
  const mayEcho = frames.some(({ mayClose }) => mayClose);
  const over = new AbortController();
  let problem: string | null = null;
  const read = createFrameReader((opcode, bytes, from, to) => {
    const payload = bytes.subarray(from, to);
    const text = payload.toString();
    if (opcode === OPCODE.close) problem ??= problemOfClose(payload, mayEcho, tally);
    if (opcode === OPCODE.text) problem ??= problemOfMessage(text, tally);
    if (opcode === OPCODE.close || isLast(text)) over.abort();
  });
  const socket = await open(server);
  await upgrade(socket, server.url);
  socket.on('data', (chunk) => {
    try {
      read(chunk, chunk.length);
    } catch (error) {
      problem ??= `the server has sent what is no frame or no message: ${error}`;
    }
  });
  socket.once('close', () => over.abort());
  if (start) {
    socket.write(start.bytes);
    await Promise.race([once(socket, 'data'), once(socket, 'close')]);
  }
  socket.write(Buffer.concat(frames.map(({ bytes }) => bytes)));
  await sleep(MAX_WAIT_MS, undefined, { signal: over.signal }).catch(() => {});
  socket.destroy();
  return problem;
}

/** Whether a message answers the operation at the end of a conversation. */
function isLast(text: string): boolean {
  return text.startsWith(`{"id":"${LAST_ID}"`) || text.includes(`,"id":"${LAST_ID}"`);
}

async function open({ url, localAddress }: Server): Promise<Socket> {
  const { hostname, port } = new URL(url);
  const socket = connect({ host: hostname, port: Number(port), localAddress });
  socket.on('error', () => {});
  // Rejects if the server no longer accepts connections.
  await once(socket, 'connect');
  return socket;
}

async function upgrade(socket: Socket, url: string): Promise<void> {
  const { host, pathname } = new URL(url);
  const lines = [
    `GET ${pathname} HTTP/1.1`,
    `host: ${host}`,
    'connection: upgrade',
    'upgrade: websocket',
    'sec-websocket-version: 13',
    `sec-websocket-key: ${randomBytes(16).toString('base64')}`,
    'sec-websocket-protocol: graphql-transport-ws',
  ];
  socket.write(`${lines.join('\r\n')}\r\n\r\n`);
  // Node passes chunks as buffers, since the socket has no encoding.
  const [answer] = (await once(socket, 'data')) as [Buffer];
  if (!answer.toString().startsWith('HTTP/1.1 101'))
    throw new Error(`The server has refused a WebSocket: ${answer}`);
}
