import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { connect } from 'node:net';
import { createFrameReader, encodeFrame, OPCODE } from '../../bench/load/frames.js';
import type { Person } from './client.js';
import { stopAtEnd } from './stopping.js';

/** A server frame as received: clients hide frames after a close. */
export interface WireFrame {
  readonly opcode: number;
  /** For a close frame: its bytes as Latin-1 characters. */
  readonly text: string;
}

export interface Wire {
  readonly frames: readonly WireFrame[];
  send(...messages: object[]): void;
  /** Resolves when the server has ended the connection. Close frames of the server are answered. */
  ended(): Promise<void>;
}

/**
 * Opens a WebSocket over plain TCP whose `connection_init` the server has acknowledged.
 *
 * @param frame sent as it is after the acknowledgement.
 */
export async function openWire(
  { token }: Pick<Person, 'token'>,
  webSocketUrl: string,
  frame?: Buffer,
): Promise<Wire> {
  const { hostname, port, pathname } = new URL(webSocketUrl);
  const socket = connect(Number(port), hostname);
  const stop = stopAtEnd(async () => void socket.destroy());
  const frames: WireFrame[] = [];
  const read = createFrameReader((opcode, bytes, from, to) => {
    frames.push({ opcode, text: bytes.toString(opcode === OPCODE.close ? 'latin1' : 'utf8', from, to) });
    if (opcode === OPCODE.close) socket.write(encodeFrame(opcode, bytes.subarray(from, to)));
  });
  const gone = once(socket, 'close').then(stop);
  const key = randomBytes(16).toString('base64');
  socket.write(
    `GET ${pathname} HTTP/1.1\r\nHost: ${hostname}:${port}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${key}\r\nSec-WebSocket-Protocol: graphql-transport-ws\r\n\r\n`,
  );
  const [answer] = (await once(socket, 'data')) as [Buffer];
  if (!answer.toString('latin1').startsWith('HTTP/1.1 101')) throw new Error(answer.toString('latin1'));
  socket.on('data', (bytes) => read(bytes, bytes.length));

  const send = (...messages: object[]): void =>
    void socket.write(
      Buffer.concat(messages.map((each) => encodeFrame(OPCODE.text, Buffer.from(JSON.stringify(each))))),
    );
  send({ type: 'connection_init', payload: { authorization: `Bearer ${token}` } });
  await once(socket, 'data');
  if (frame) socket.write(frame);
  return { frames, send, ended: () => gone };
}
