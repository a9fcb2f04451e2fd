import type { Dice } from '../random.js';

/** The opcodes of WebSocket frames (RFC 6455, section 5.2). */
export const OPCODES = { continuation: 0, text: 1, binary: 2, close: 8, ping: 9, pong: 10 } as const;
export const FIN = 0x80;
export const MASKED = 0x80;

/** A client frame with a random mask. */
export function encode(dice: Dice, opcode: number, payload: Buffer, fin = FIN): Buffer {
  const { length } = payload;
  const extended = length < 126 ? 0 : length < 65_536 ? 2 : 8;
  const header = Buffer.alloc(2 + extended);
  header[0] = fin | opcode;
  header[1] = MASKED | (extended === 0 ? length : extended === 2 ? 126 : 127);
  if (extended === 2) header.writeUInt16BE(length, 2);
  if (extended === 8) header.writeBigUInt64BE(BigInt(length), 2);
  const mask = dice.bytes(4);
  const masked = Buffer.from(payload);
  for (let index = 0; index < length; index += 1)
    masked[index] = (payload[index] ?? 0) ^ (mask[index & 3] ?? 0);
  return Buffer.concat([header, mask, masked]);
}
