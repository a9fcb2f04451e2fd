/*
 * WebSocket text frames from a server (RFC 6455, 5.2) as strings whose characters are bytes: Node writes those without
 * a buffer of our own, and joins many of them into one write.
 */

/** The first byte: a whole message, of text. */
const WHOLE_TEXT = String.fromCharCode(0x81);

/** The characters of the result are the bytes of the text in UTF-8. */
export function toBytes(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: all of ASCII, where both are the same.
  return /^[\x00-\x7f]*$/.test(text) ? text : Buffer.from(text, 'utf8').toString('latin1');
}

/** What stands before so many bytes of text. */
export function frameHeader(length: number): string {
  if (length < 126) return WHOLE_TEXT + String.fromCharCode(length);
  if (length < 0x10000) return WHOLE_TEXT + String.fromCharCode(126, length >>> 8, length & 0xff);
  const bytes = Buffer.alloc(9, 127);
  bytes.writeBigUInt64BE(BigInt(length), 1);
  return WHOLE_TEXT + bytes.toString('latin1');
}
