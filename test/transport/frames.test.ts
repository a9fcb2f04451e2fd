import { isRequiredArgument } from 'graphql';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { encodeFrame, OPCODE } from '../../bench/load/frames.js';
import { schema } from '../../src/graphql/schema/index.js';
import { createRoom, type Person, send, signUp } from '../helpers/client.js';
import { startParley, type TestParley } from '../helpers/parley.js';
import { openSocketOf } from '../helpers/raw-socket.js';
import { openWire } from '../helpers/wire.js';

/** Frames and variables of every kind: each has an answer that says what is wrong, and none is a fault of the server. */

let parley: TestParley;
let alice: Person;
let roomId: string;

beforeAll(async () => {
  parley = await startParley();
  alice = await signUp(parley.url);
  roomId = await createRoom(alice);
});

afterAll(() => {
  expect(parley.log.filter((line) => !/"level":(20|30|40)/.test(line))).toEqual([]);
});

const PING = Buffer.from('{"type":"ping"}');

/** A text frame with another first byte, or with other bits in the second one. */
function frameWith(
  payload: Buffer,
  first: number,
  second: (length: number) => number = (length) => 0x80 | length,
): Buffer {
  const frame = encodeFrame(OPCODE.text, payload);
  frame.writeUInt8(first, 0);
  frame.writeUInt8(second(payload.length), 1);
  return frame;
}

describe('a frame', () => {
  test.each<[string, Buffer, number]>([
    ['without a mask', Buffer.concat([Buffer.from([0x81, PING.length]), PING]), 1002],
    ['with the first reserved bit', frameWith(PING, 0xc1), 1002],
    ['with the second reserved bit', frameWith(PING, 0xa1), 1002],
    ['with the third reserved bit', frameWith(PING, 0x91), 1002],
    ['that continues nothing', frameWith(PING, 0x80), 1002],
    ['that begins within another one', Buffer.concat([frameWith(PING, 0x01), frameWith(PING, 0x81)]), 1002],
    ['of control that is a fragment', frameWith(PING, 0x09), 1002],
    ['of control that is too long', encodeFrame(OPCODE.ping, Buffer.alloc(126)), 1002],
    ['with a reserved opcode', frameWith(PING, 0x8b), 1002],
    ['with text that is not UTF-8', encodeFrame(OPCODE.text, Buffer.from([0xc3, 0x28])), 1007],
    ['of text that is no JSON', encodeFrame(OPCODE.text, Buffer.from('ping')), 4400],
    ['of bytes that are no JSON', frameWith(Buffer.from([0, 1, 2]), 0x82), 4400],
    ['that is too large', encodeFrame(OPCODE.text, Buffer.alloc(64 * 1024 + 1, 0x20)), 1009],
    ['that says it is too large', Buffer.from([0x81, 0xff, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0]), 1009],
    [
      'with a length that no number holds',
      Buffer.from([0x81, 0xff, 0xff, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]),
      1009,
    ],
  ])('%s is closed with its code', async (_name, frame, code) => {
    const wire = await openWire(alice, parley.webSocketUrl, frame);
    await wire.ended();
    const close = wire.frames.find(({ opcode }) => opcode === OPCODE.close);
    expect(Buffer.from(close?.text ?? '', 'latin1').readUInt16BE(0)).toBe(code);
  });

  test.each<[string, Buffer]>([
    [
      'in two fragments',
      Buffer.concat([frameWith(PING.subarray(0, 5), 0x01), frameWith(PING.subarray(5), 0x80)]),
    ],
    [
      'in fragments with a ping between them',
      Buffer.concat([
        frameWith(PING.subarray(0, 5), 0x01),
        encodeFrame(OPCODE.ping, Buffer.from('x')),
        frameWith(PING.subarray(5), 0x80),
      ]),
    ],
    ['of binary data that is JSON', frameWith(PING, 0x82)],
  ])('%s is understood', async (_name, frame) => {
    const wire = await openWire(alice, parley.webSocketUrl, frame);
    await expect.poll(() => wire.frames.map(({ text }) => text)).toContain('{"type":"pong"}');
    wire.send({ type: 'invalid' });
    await wire.ended();
  });
});

/** A value of every kind of JSON. */
const VALUES = [
  null,
  true,
  0,
  -1,
  1.5,
  1e308,
  '',
  'text',
  '\0',
  '\ud800',
  [],
  [[]],
  ['x'],
  {},
  { id: 1 },
  { __proto__: 1 },
];

const fields = [schema.getQueryType(), schema.getMutationType(), schema.getSubscriptionType()].flatMap(
  (type) =>
    Object.values(type?.getFields() ?? {}).flatMap((field) =>
      field.args.map((argument) => ({ kind: type?.name.toLowerCase(), field, argument })),
    ),
);

test.each(fields.map((each) => ({ ...each, name: `${each.field.name}(${each.argument.name}:)` })))(
  '$name has only coded errors, whatever its variable is',
  async ({ kind, field, argument }) => {
    const list = field.args.filter((each) => each === argument || isRequiredArgument(each));
    const declared = list.map(({ name, type }) => `$${name}: ${type}`).join(', ');
    const used = list.map(({ name }) => `${name}: $${name}`).join(', ');
    const selection = String(field.type).replace('!', '') === 'String' ? '' : '{ __typename }';
    const query = `${kind} (${declared}) { ${field.name}(${used}) ${selection} }`;
    const socket = await openSocketOf(alice, parley.webSocketUrl);
    for (const [index, value] of VALUES.entries()) {
      const id = `${index}`;
      socket.subscribe(id, { roomId, id: roomId, username: alice.username, [argument.name]: value }, query);
      const failed = socket.received('error', id);
      failed.catch(() => {});
      const answered = Promise.race([socket.received('next', id), failed, socket.received('complete', id)]);
      let isWaiting = kind === 'subscription';
      void answered.finally(() => {
        isWaiting = false;
      });
      // A subscription that is accepted delivers what follows.
      while (isWaiting) await send(alice, roomId, 'hello');
      const answer = await answered;
      for (const [, code] of JSON.stringify(answer).matchAll(/"code":"(\w+)"/g))
        expect(code).toMatch(/^(?:BAD_USER_INPUT|FORBIDDEN|RATE_LIMITED|TOO_SHORT|INVALID_CHARACTER)$/);
      const errors = JSON.stringify(answer).match(/"message":/g)?.length ?? 0;
      const codes = JSON.stringify(answer).match(/"code":/g)?.length ?? 0;
      expect(codes).toBeGreaterThanOrEqual(errors);
      socket.send({ type: 'complete', id });
    }
    socket.destroy();
  },
);
