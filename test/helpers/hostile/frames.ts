import type { Dice } from '../random.js';
import { encode, FIN, MASKED, OPCODES } from './encode.js';

/** Bytes that a client sends at once: usually one frame. */
export interface HostileFrame {
  readonly bytes: Buffer;
  /** Whether the server may read a close frame in them, which it would echo. */
  readonly mayClose: boolean;
}

type Mutation = (dice: Dice, payload: Buffer) => HostileFrame;

/** A frame that breaks the rules of WebSocket, or one that looks as if it did. */
export function brokenFrame(dice: Dice, payload: Buffer): HostileFrame {
  return dice.pick([
    otherOpcode,
    reservedBits,
    unmasked,
    fragments,
    fragments,
    longControl,
    notUtf8,
    tooLarge,
    wrongLength,
    closeFrame,
    cut,
    flipped,
    noise,
  ])(dice, payload);
}

export function textFrame(dice: Dice, payload: Buffer): HostileFrame {
  return { bytes: encode(dice, OPCODES.text, payload), mayClose: false };
}

const otherOpcode: Mutation = (dice, payload) => {
  const opcode = dice.below(16);
  return { bytes: encode(dice, opcode, payload.subarray(0, 125)), mayClose: opcode === OPCODES.close };
};

const reservedBits: Mutation = (dice, payload) => {
  const bytes = encode(dice, OPCODES.text, payload);
  bytes.writeUInt8(bytes.readUInt8(0) | (1 << (4 + dice.below(3))), 0);
  return { bytes, mayClose: false };
};

const unmasked: Mutation = (_dice, payload) => {
  const header = Buffer.from([FIN | OPCODES.text, 5]);
  return { bytes: Buffer.concat([header, payload.subarray(0, 5)]), mayClose: false };
};

/** Parts in the right order or not, with or without an end, and perhaps with a ping in between. */
const fragments: Mutation = (dice, payload) => {
  const middle = dice.below(payload.length + 1);
  const next = dice.chance(0.8) ? OPCODES.continuation : OPCODES.text;
  const parts = [
    encode(dice, OPCODES.text, payload.subarray(0, middle), 0),
    ...(dice.chance(0.3) ? [encode(dice, OPCODES.ping, Buffer.from('between'))] : []),
    encode(dice, next, payload.subarray(middle), dice.chance(0.9) ? FIN : 0),
  ];
  return { bytes: Buffer.concat(dice.chance(0.2) ? parts.toReversed() : parts), mayClose: false };
};

const longControl: Mutation = (dice, payload) => {
  const opcode = dice.pick([OPCODES.close, OPCODES.ping, OPCODES.pong]);
  const content = dice.chance(0.5) ? payload : Buffer.alloc(126);
  const bytes = encode(dice, opcode, content, dice.chance(0.5) ? FIN : 0);
  return { bytes, mayClose: opcode === OPCODES.close };
};

const notUtf8: Mutation = (dice, payload) => {
  const bytes = Buffer.concat([payload, Buffer.from([dice.pick([0xff, 0xc0, 0xed]), 0xa0])]);
  return textFrame(dice, bytes);
};

const tooLarge: Mutation = (dice, payload) =>
  textFrame(dice, Buffer.concat([payload, Buffer.alloc(65_537 - dice.below(3), ' ')]));

/** A length of 16 or 64 bits that has nothing to do with the payload. */
const wrongLength: Mutation = (dice, payload) => {
  const isLong = dice.chance(0.7);
  const header = Buffer.alloc(isLong ? 14 : 8);
  header[0] = FIN | OPCODES.text;
  header[1] = MASKED | (isLong ? 127 : 126);
  if (isLong) header.writeBigUInt64BE(dice.pick([0n, 5n, 70_000n, 2n ** 31n, 2n ** 53n, 2n ** 63n]), 2);
  else header.writeUInt16BE(dice.pick([0, 5, 65_535]), 2);
  return { bytes: Buffer.concat([header, payload]), mayClose: true };
};

/** A close frame with a code that clients may or may not use, among them 1011. */
const closeFrame: Mutation = (dice) => {
  const code = dice.pick([1000, 1001, 1005, 1006, 1011, 1015, 2999, 4400, 0, 65_535]);
  const reason = dice.chance(0.5) ? Buffer.from('hostile') : dice.bytes(dice.below(8));
  const payload = Buffer.concat([Buffer.from([code >> 8, code & 0xff]), reason]);
  return {
    bytes: encode(dice, OPCODES.close, payload.subarray(0, dice.chance(0.2) ? 1 : undefined)),
    mayClose: true,
  };
};

const cut: Mutation = (dice, payload) => {
  const bytes = encode(dice, OPCODES.text, payload);
  return { bytes: bytes.subarray(0, dice.below(bytes.length)), mayClose: true };
};

/** Up to four bits, in the header, the mask or the payload. */
const flipped: Mutation = (dice, payload) => {
  const bytes = encode(dice, OPCODES.text, payload);
  // Half of them in the header and the mask, which are short.
  const limit = dice.chance(0.5) ? Math.min(8, bytes.length) : bytes.length;
  const count = 1 + dice.below(4);
  for (let done = 0; done < count; done += 1) {
    const at = dice.below(limit);
    bytes.writeUInt8(bytes.readUInt8(at) ^ (1 << dice.below(8)), at);
  }
  return { bytes, mayClose: true };
};

const noise: Mutation = (dice) => ({ bytes: dice.bytes(1 + dice.below(200)), mayClose: true });
