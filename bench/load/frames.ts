/** The WebSocket opcodes (RFC 6455, section 5.2) that clients of this bench receive. */
export const OPCODE = { text: 1, close: 8, ping: 9, pong: 10 } as const;

/** Receives a frame. Its payload is `bytes` from `from` to `to`, and is overwritten after the handler has returned. */
export type FrameHandler = (opcode: number, bytes: Buffer, from: number, to: number) => void;

const FIN = 0x80;
const MASKED = 0x80;
const LENGTH = 0x7f;

/** Encodes a complete client frame. Its mask is zero, so the payload is unchanged. */
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
 * Splits a server's byte stream into frames, independent of how the network splits it into chunks. Pass every chunk, and the
 * number of valid bytes in it, to the function that is returned.
 *
 * @throws Error if a frame is masked or fragmented: none of the compared servers sends such frames.
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
    // A copy: the chunk's memory is reused.
    if (at < end) rest = Buffer.from(bytes.subarray(at, end));
  };
}
