import { expect, test } from 'vitest';
import { createFrameReader, encodeFrame, OPCODE } from '../../../bench/load/frames.js';

/** A server frame, which has no mask. */
function serverFrame(opcode: number, text: string): Buffer {
  const payload = Buffer.from(text);
  const { length } = payload;
  const head = Buffer.alloc(length < 126 ? 2 : length < 65_536 ? 4 : 10);
  head[0] = 0x80 | opcode;
  head[1] = length < 126 ? length : length < 65_536 ? 126 : 127;
  if (head.length === 4) head.writeUInt16BE(length, 2);
  if (head.length === 10) head.writeBigUInt64BE(BigInt(length), 2);
  return Buffer.concat([head, payload]);
}

function readIn(chunks: readonly Buffer[]): (readonly [number, string])[] {
  const frames: (readonly [number, string])[] = [];
  const read = createFrameReader((opcode, bytes, from, to) =>
    frames.push([opcode, bytes.toString('utf8', from, to)]),
  );
  // The memory of a chunk is reused, like that of a socket's buffer.
  const shared = Buffer.alloc(200_000);
  for (const chunk of chunks) read(shared, chunk.copy(shared));
  return frames;
}

const texts = ['', 'short', 'x'.repeat(125), 'y'.repeat(126), 'ß'.repeat(500)];
const large = ['z'.repeat(65_535), 'z'.repeat(65_536)];
const frames = texts.map((text) => serverFrame(OPCODE.text, text));
const stream = Buffer.concat([...frames, serverFrame(OPCODE.ping, 'are you there?')]);
const expected = [...texts.map((text) => [OPCODE.text, text]), [OPCODE.ping, 'are you there?']];

test('frames of all sizes are read from one chunk', () => {
  const all = Buffer.concat([stream, ...large.map((text) => serverFrame(OPCODE.text, text))]);
  expect(readIn([all])).toEqual([...expected, ...large.map((text) => [OPCODE.text, text])]);
});

test.each([1, 2, 3, 7, 130])('frames are read from a stream that is split every %i bytes', (size) => {
  const chunks: Buffer[] = [];
  for (let at = 0; at < stream.length; at += size) chunks.push(stream.subarray(at, at + size));
  expect(readIn(chunks)).toEqual(expected);
});

test('a client frame is marked as masked, and its zero mask leaves the payload unchanged', () => {
  for (const text of [...texts, ...large]) {
    const frame = encodeFrame(OPCODE.text, Buffer.from(text));
    const length = Buffer.byteLength(text);
    const head = length < 126 ? 2 : length < 65_536 ? 4 : 10;
    expect((frame[1] ?? 0) & 0x80).toBe(0x80);
    expect(frame.readUInt32BE(head)).toBe(0);
    expect(frame.toString('utf8', head + 4)).toBe(text);
  }
});

test('a fragmented or masked server frame is rejected', () => {
  const fragmented = serverFrame(OPCODE.text, 'half');
  fragmented[0] = OPCODE.text;
  expect(() => readIn([fragmented])).toThrow('fragmented or masked');
  expect(() => readIn([encodeFrame(OPCODE.text, Buffer.from('masked'))])).toThrow('fragmented or masked');
});
