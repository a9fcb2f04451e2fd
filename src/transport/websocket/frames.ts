/*
 * Unmasked WebSocket text frames (RFC 6455, section 5.2) as Latin-1 strings, in which each character stands for one byte.
 * Strings are cheap to concatenate into one write, and Node writes them without an intermediate buffer.
 */

/** The first byte of a frame: FIN set, opcode 1 (text). */
const FIN_TEXT = String.fromCharCode(0x81);

/** Encodes a text in UTF-8, one character per byte. */
export function toBytes(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: matches all of ASCII, which needs no encoding.
  return /^[\x00-\x7f]*$/.test(text) ? text : Buffer.from(text, 'utf8').toString('latin1');
}

/** The frame header of a payload of the given length in bytes. */
export function frameHeader(length: number): string {
  if (length < 126) return FIN_TEXT + String.fromCharCode(length);
  if (length < 0x10000) return FIN_TEXT + String.fromCharCode(126, length >>> 8, length & 0xff);
  const bytes = Buffer.alloc(9, 127);
  bytes.writeBigUInt64BE(BigInt(length), 1);
  return FIN_TEXT + bytes.toString('latin1');
}
