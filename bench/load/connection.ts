import { randomBytes } from 'node:crypto';
import { connect, type Socket } from 'node:net';
import { createFrameReader, encodeFrame, type FrameHandler, OPCODE } from './frames.js';

/** A WebSocket over plain TCP. A read allocates no object, so that thousands of frames per millisecond can be counted. */
export interface Connection {
  send(text: string): void;
  /** Ends the connection without a closing handshake. */
  destroy(): void;
}

export interface ConnectionOptions {
  readonly port: number;
  readonly path: string;
  readonly subprotocol: string | null;
  /** May be called before `openConnection` resolves: some servers send first. */
  readonly onText: (bytes: Buffer, from: number, to: number, connection: Connection) => void;
  /** Called once if the connection ends without `destroy`. */
  readonly onEnd: (reason: string) => void;
}

/** All sockets read into the same buffer: each read is processed before the next one begins. */
const shared = Buffer.allocUnsafe(256 * 1024);
const HEAD_END = Buffer.from('\r\n\r\n');

/** Resolves when the server has accepted the upgrade; rejects if it does not. */
export function openConnection({
  port,
  path,
  subprotocol,
  onText,
  onEnd,
}: ConnectionOptions): Promise<Connection> {
  return new Promise((resolve, reject) => {
    let head: Buffer | null = Buffer.alloc(0);
    let ended = false;
    let socket: Socket;

    const end = (reason: string): void => {
      if (ended) return;
      ended = true;
      socket.destroy();
      if (head === null) onEnd(reason);
      else reject(new Error(`The WebSocket did not open: ${reason}`));
    };
    const onFrame: FrameHandler = (opcode, bytes, from, to) => {
      if (opcode === OPCODE.text) onText(bytes, from, to, connection);
      else if (opcode === OPCODE.ping) socket.write(encodeFrame(OPCODE.pong, bytes.subarray(from, to)));
      else if (opcode === OPCODE.close)
        end(
          `closed with ${to - from >= 2 ? bytes.readUInt16BE(from) : 'nothing'} ${bytes.toString('utf8', from + 2, to)}`,
        );
    };
    const read = createFrameReader(onFrame);
    const connection: Connection = {
      send: (text) => void socket.write(encodeFrame(OPCODE.text, Buffer.from(text))),
      destroy() {
        ended = true;
        socket.destroy();
      },
    };

    const onRead = (length: number): boolean => {
      if (head === null) {
        read(shared, length);
        return true;
      }
      head = Buffer.concat([head, shared.subarray(0, length)]);
      const headEnd = head.indexOf(HEAD_END);
      if (headEnd < 0) return true;
      const status = head.toString('latin1', 0, head.indexOf('\r\n'));
      if (!status.startsWith('HTTP/1.1 101')) end(status);
      else {
        const rest = head.subarray(headEnd + HEAD_END.length);
        head = null;
        resolve(connection);
        read(rest, rest.length);
      }
      return true;
    };

    socket = connect({
      port,
      host: '127.0.0.1',
      noDelay: true,
      onread: { buffer: shared, callback: onRead },
    });
    socket.on('error', (error) => end(error.message));
    socket.on('close', () => end('the connection was lost'));
    socket.write(
      [
        `GET ${path} HTTP/1.1`,
        `Host: 127.0.0.1:${port}`,
        'Connection: Upgrade',
        'Upgrade: websocket',
        'Sec-WebSocket-Version: 13',
        `Sec-WebSocket-Key: ${randomBytes(16).toString('base64')}`,
        ...(subprotocol === null ? [] : [`Sec-WebSocket-Protocol: ${subprotocol}`]),
        '\r\n',
      ].join('\r\n'),
    );
  });
}
