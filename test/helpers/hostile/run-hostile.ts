import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { createFrameReader, encodeFrame, OPCODE } from '../../../bench/load/frames.js';
import { createDice } from '../random.js';
import { conversation, type FrameTargets } from './frames.js';
import { hostileRequest } from './requests.js';

export interface HostileOptions {
  /** `http://HOST:PORT/graphql` */
  readonly url: string;
  /** The address to connect from. */
  readonly localAddress: string;
  readonly targets: FrameTargets;
  /** The same seed sends the same bytes. */
  readonly seed: number;
  readonly frames: number;
  readonly requests: number;
}

const FRAMES_PER_CONNECTION = 10;
const CONCURRENCY = 20;
/** How long to wait for the end of a connection whose bytes the server may not understand as complete, in ms. */
const PATIENCE_MS = 60;
const INTERNAL_ERROR = 1011;
/** What no client may ever see. */
const LEAK = /"INTERNAL"|Unexpected error|HTTP\/1\.1 500|\bat \S+ \(|\.js:\d+|node:internal/;

/**
 * Sends mutated WebSocket frames and malformed HTTP requests.
 *
 * @throws Error with the seed and the number of the connection if the server answers with an internal error, or refuses
 *   connections.
 */
export async function runHostile(options: HostileOptions): Promise<void> {
  const conversations = Math.ceil(options.frames / FRAMES_PER_CONNECTION);
  await inParallel(conversations, (index) => attempt('frames', index, options, sendFrames));
  await inParallel(options.requests, (index) => attempt('request', index, options, sendRequest));
}

async function inParallel(count: number, run: (index: number) => Promise<void>): Promise<void> {
  let next = 0;
  const worker = async (): Promise<void> => {
    while (next < count) {
      const index = next;
      next += 1;
      await run(index);
    }
  };
  await Promise.all(Array.from({ length: CONCURRENCY }, worker));
}

type Sender = (options: HostileOptions, seed: number) => Promise<string | null>;

/** Every connection has random numbers of its own, so that one alone can be repeated. */
async function attempt(what: string, index: number, options: HostileOptions, send: Sender): Promise<void> {
  const problem = await send(options, options.seed * 1_000_003 + index);
  if (problem !== null) throw new Error(`Seed ${options.seed}, ${what} ${index}: ${problem}`);
}

async function open({ url, localAddress }: HostileOptions): Promise<Socket> {
  const { hostname, port } = new URL(url);
  const socket = connect({ host: hostname, port: Number(port), localAddress });
  socket.on('error', () => {});
  // Rejects if the server no longer accepts connections.
  await once(socket, 'connect');
  return socket;
}

async function sendRequest(options: HostileOptions, seed: number): Promise<string | null> {
  const socket = await open(options);
  let answer = '';
  socket.setEncoding('latin1').on('data', (part: string) => {
    answer += part;
  });
  const closed = once(socket, 'close').catch(() => {});
  socket.end(hostileRequest(createDice(seed)));
  await Promise.race([closed, sleep(PATIENCE_MS)]);
  socket.destroy();
  const leak = LEAK.exec(answer);
  return leak
    ? `the server has answered ${answer.slice(Math.max(0, leak.index - 200), leak.index + 200)}`
    : null;
}

async function sendFrames(options: HostileOptions, seed: number): Promise<string | null> {
  const frames = conversation(createDice(seed), options.targets, FRAMES_PER_CONNECTION);
  const mayClose = frames.some((frame) => frame.mayClose);
  const socket = await open(options);
  const over = new AbortController();
  let problem: string | null = null;
  const read = createFrameReader((opcode, bytes, from, to) => {
    const text = bytes.toString('latin1', from, to);
    if (LEAK.test(text)) problem = `the server has sent ${text}`;
    if (opcode === OPCODE.close && !mayClose && bytes.readUInt16BE(from) === INTERNAL_ERROR)
      problem = `the server has closed the connection with ${INTERNAL_ERROR} ${text.slice(2)}`;
    if (opcode === OPCODE.close || opcode === OPCODE.pong) over.abort();
  });
  await upgrade(socket, options.url);
  socket.on('data', (chunk) => read(chunk, chunk.length));
  socket.once('close', () => over.abort());
  for (const { bytes } of frames) socket.write(bytes);
  // Answered after everything before it, unless the server has lost the beginning of a frame.
  socket.write(encodeFrame(OPCODE.ping, Buffer.from('last')));
  await sleep(PATIENCE_MS, undefined, { signal: over.signal }).catch(() => {});
  socket.destroy();
  return problem;
}

async function upgrade(socket: Socket, url: string): Promise<void> {
  const { host, pathname } = new URL(url);
  const lines = [
    `GET ${pathname} HTTP/1.1`,
    `host: ${host}`,
    'connection: upgrade',
    'upgrade: websocket',
    'sec-websocket-version: 13',
    'sec-websocket-key: AAAAAAAAAAAAAAAAAAAAAA==',
    'sec-websocket-protocol: graphql-transport-ws',
  ];
  socket.write(`${lines.join('\r\n')}\r\n\r\n`);
  const [answer] = (await once(socket, 'data')) as [Buffer];
  if (!answer.toString().startsWith('HTTP/1.1 101'))
    throw new Error(`The server has refused a WebSocket: ${answer}`);
}
