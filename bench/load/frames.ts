/** WebSocket opcodes (RFC 6455, section 5.2) that a client of this bench meets. */
export const OPCODE = { text: 1, close: 8, ping: 9, pong: 10 } as const;

/** A frame's payload stands in `bytes` from `from` to `to`; it is overwritten when the handler has returned. */
export type FrameHandler = (opcode: number, bytes: Buffer, from: number, to: number) => void;

const FIN = 0x80;
const MASKED = 0x80;
const LENGTH = 0x7f;

/** A whole frame of a client's. Its mask is all zeros, so the payload stands in it as it is. */
export function encodeFrame(opcode: number, payload: Uint8Array): Buffer {
  const { length } = payload;
  const extended = length < 126 ? 0 : length < 65_536 ? 2 : 8;
  const frame = Buffer.alloc(2 + extended + 4 + length);
  frame[0] = FIN | opcode;
  frame[1] = MASKED | (extended === 0 ? length : extended === 2 ? 126 : 127);
  if (extended === 2) frame.writeUInt16BE(length, 2);
  if (extended === 8) frame.writeBigUInt64BE(BigInt(length), 2);
  frame.set(payload, 2 + extended + 4);
  return frame;
}

/**
 * Cuts what a server sends into frames, wherever the network cut it. What it returns is to be given every chunk, and the
 * number of bytes that count in it.
 *
 * @throws Error where a frame is masked or fragmented: none of the servers compared sends such a one.
 */
export function createFrameReader(onFrame: FrameHandler): (chunk: Buffer, length: number) => void {
  let rest: Buffer | null = null;
  return (chunk, length) => {
    const bytes: Buffer = rest ? Buffer.concat([rest, chunk.subarray(0, length)]) : chunk;
    const end: number = rest ? bytes.length : length;
    rest = null;
    let at = 0;
    while (end - at >= 2) {
      const first = bytes[at] ?? 0;
      const second = bytes[at + 1] ?? 0;
      if ((first & FIN) === 0 || (second & MASKED) !== 0) throw new Error('A frame is fragmented or masked');
      let size = second & LENGTH;
      let from = at + 2;
      if (size === 126) {
        if (end - from < 2) break;
        size = bytes.readUInt16BE(from);
        from += 2;
      } else if (size === 127) {
        if (end - from < 8) break;
        size = Number(bytes.readBigUInt64BE(from));
        from += 8;
      }
      if (end - from < size) break;
      onFrame(first & 0x0f, bytes, from, from + size);
      at = from + size;
    }
    // A copy: the chunk's memory is used again.
    if (at < end) rest = Buffer.from(bytes.subarray(at, end));
  };
}
