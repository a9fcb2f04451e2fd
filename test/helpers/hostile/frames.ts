import type { Dice } from '../random.js';
import { anyJson, brokenJson } from './json.js';

/** What frames refer to, so that some of them are valid. */
export interface FrameTargets {
  readonly token: string;
  readonly roomId: string;
}

export interface HostileFrame {
  readonly bytes: Buffer;
  /** Whether the server may read a close frame in it, and answer with the code and reason that it contains. */
  readonly mayClose: boolean;
}

const OPCODES = { continuation: 0, text: 1, binary: 2, close: 8, ping: 9, pong: 10 } as const;
const FIN = 0x80;
const MASKED = 0x80;

const TYPES = [
  'connection_init',
  'subscribe',
  'complete',
  'ping',
  'pong',
  'next',
  'error',
  'connection_ack',
] as const;

const DOCUMENTS = [
  '{ viewer { id user { username } } }',
  'subscription ($roomId: ID!, $after: String) { messageAdded(roomId: $roomId, after: $after) { cursor } }',
  'subscription ($roomId: ID!) { roomEvents(roomId: $roomId) { __typename cursor } }',
  'query ($roomId: ID!, $first: Int) { roomMessages(roomId: $roomId, first: $first) { nodes { text } } }',
  'mutation ($input: SendMessageInput!) { sendMessage(input: $input) { __typename } }',
  'query ($id: ID!) { node(id: $id) { id } }',
  'mutation ($input: CreateRoomInput!) { createRoom(input: $input) { __typename } }',
  '{ viewer { id } } query Second { __typename }',
  'subscription { __typename }',
  '{',
] as const;
const VARIABLES = ['roomId', 'after', 'first', 'input', 'id'] as const;

/** The frames of one connection: some of them are valid, most are not. */
export function conversation(dice: Dice, targets: FrameTargets, length: number): HostileFrame[] {
  const frames = Array.from({ length }, () => hostileFrame(dice, targets));
  if (dice.chance(0.2)) return frames;
  const payload = dice.chance(0.8) ? { authorization: `Bearer ${targets.token}` } : {};
  return [frameOf({ type: 'connection_init', payload }), ...frames.slice(1)];
}

function frameOf(message: unknown): HostileFrame {
  return { bytes: encode(OPCODES.text, Buffer.from(JSON.stringify(message))), mayClose: false };
}

function hostileFrame(dice: Dice, targets: FrameTargets): HostileFrame {
  if (dice.chance(0.4)) return frameOf(anyMessage(dice, targets));
  const text = JSON.stringify(anyMessage(dice, targets));
  const payload = Buffer.from(dice.chance(0.5) ? brokenJson(dice, text) : text);
  return dice.pick([
    brokenText,
    otherOpcode,
    reservedBits,
    unmasked,
    fragments,
    longControl,
    wrongLength,
    cut,
    flipped,
    noise,
  ])(dice, payload);
}

/** A message of the protocol in which any part may be replaced by any JSON. */
function anyMessage(dice: Dice, { roomId }: FrameTargets): unknown {
  const or = (value: unknown): unknown => (dice.chance(0.15) ? anyJson(dice) : value);
  const ids = ['1', '2', '3', '__proto__', 'constructor', '', 'x'.repeat(300)] as const;
  const known = {
    roomId,
    after: 'x',
    first: 2,
    id: roomId,
    input: { roomId, text: 'hostile', name: 'hostile' },
  };
  const variables = Object.fromEntries(VARIABLES.map((name) => [name, or(known[name])]));
  const message = {
    type: or(dice.pick(TYPES)),
    id: or(dice.pick(ids)),
    payload: or({ query: or(dice.pick(DOCUMENTS)), variables: or(variables), operationName: or(undefined) }),
  };
  return or(message);
}

function brokenText(_dice: Dice, payload: Buffer): HostileFrame {
  return { bytes: encode(OPCODES.text, payload), mayClose: false };
}

function otherOpcode(dice: Dice, payload: Buffer): HostileFrame {
  const opcode = dice.below(16);
  return { bytes: encode(opcode, payload.subarray(0, 125)), mayClose: opcode === OPCODES.close };
}

function reservedBits(dice: Dice, payload: Buffer): HostileFrame {
  const bytes = encode(OPCODES.text, payload);
  bytes.writeUInt8(bytes.readUInt8(0) | (1 << (4 + dice.below(3))), 0);
  return { bytes, mayClose: false };
}

function unmasked(_dice: Dice, payload: Buffer): HostileFrame {
  return {
    bytes: Buffer.concat([Buffer.from([FIN | OPCODES.text, 5]), payload.subarray(0, 5)]),
    mayClose: false,
  };
}

/** Parts in the right order or not, with or without an end, and perhaps with a ping in between. */
function fragments(dice: Dice, payload: Buffer): HostileFrame {
  const middle = dice.below(payload.length + 1);
  const parts = [
    encode(OPCODES.text, payload.subarray(0, middle), 0),
    ...(dice.chance(0.3) ? [encode(OPCODES.ping, Buffer.from('between'))] : []),
    encode(
      dice.chance(0.7) ? OPCODES.continuation : OPCODES.text,
      payload.subarray(middle),
      dice.chance(0.8) ? FIN : 0,
    ),
  ];
  return { bytes: Buffer.concat(dice.chance(0.2) ? parts.toReversed() : parts), mayClose: false };
}

function longControl(dice: Dice, payload: Buffer): HostileFrame {
  const opcode = dice.pick([OPCODES.close, OPCODES.ping, OPCODES.pong]);
  const bytes = encode(opcode, dice.chance(0.5) ? payload : Buffer.alloc(126), dice.chance(0.5) ? FIN : 0);
  return { bytes, mayClose: opcode === OPCODES.close };
}

function wrongLength(dice: Dice, payload: Buffer): HostileFrame {
  const header = Buffer.alloc(14);
  header[0] = FIN | OPCODES.text;
  header[1] = MASKED | 127;
  header.writeBigUInt64BE(dice.pick([0n, 5n, 70_000n, 2n ** 31n, 2n ** 53n, 2n ** 63n]), 2);
  return { bytes: Buffer.concat([header, payload]), mayClose: true };
}

function cut(dice: Dice, payload: Buffer): HostileFrame {
  const bytes = encode(OPCODES.text, payload);
  return { bytes: bytes.subarray(0, dice.below(bytes.length)), mayClose: true };
}

function flipped(dice: Dice, payload: Buffer): HostileFrame {
  const bytes = encode(OPCODES.text, payload);
  for (let count = 0; count <= dice.below(4); count += 1) {
    const at = dice.below(bytes.length);
    bytes.writeUInt8(bytes.readUInt8(at) ^ (1 << dice.below(8)), at);
  }
  return { bytes, mayClose: true };
}

function noise(dice: Dice): HostileFrame {
  return { bytes: dice.bytes(1 + dice.below(200)), mayClose: true };
}

/** A client frame with a mask of zeros, so that the payload is unchanged. */
function encode(opcode: number, payload: Buffer, fin = FIN): Buffer {
  const { length } = payload;
  const header = Buffer.alloc(length < 126 ? 6 : 8);
  header[0] = fin | opcode;
  header[1] = MASKED | Math.min(length, 126);
  if (length >= 126) header.writeUInt16BE(length, 2);
  return Buffer.concat([header, payload]);
}
