import {
  type GraphQLArgument,
  type GraphQLField,
  getNamedType,
  getNullableType,
  isInputObjectType,
  isLeafType,
  isRequiredArgument,
  isRequiredInputField,
  parse,
  validate,
} from 'graphql';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { encodeFrame, OPCODE } from '../../bench/load/frames.js';
import { schema } from '../../src/graphql/schema/index.js';
import { createRoom, type GraphQLError, type Person, send, signUp } from '../helpers/client.js';
import { startParley, type TestParley } from '../helpers/parley.js';
import { type Frame, openSocketOf, type RawSocket } from '../helpers/raw-socket.js';
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
  { ['__proto__']: 1 },
];

/** An argument of a root field, or a field of its input object: the place where each value is put. */
interface Place {
  readonly kind: string;
  readonly field: GraphQLField<unknown, unknown>;
  readonly argument: GraphQLArgument;
  readonly inputField: string | null;
}

const places = [schema.getQueryType(), schema.getMutationType(), schema.getSubscriptionType()].flatMap(
  (type) =>
    Object.values(type?.getFields() ?? {}).flatMap((field) =>
      field.args.flatMap((argument): Place[] => {
        const place = { kind: type?.name.toLowerCase() ?? '', field, argument };
        const input = getNullableType(argument.type);
        const inputFields = isInputObjectType(input) ? Object.keys(input.getFields()) : [];
        return [null, ...inputFields].map((inputField) => ({ ...place, inputField }));
      }),
    ),
);

/** Valid values of everything that a root field may require. */
const known = () => ({
  roomId,
  id: roomId,
  username: alice.username,
  password: 'wrong',
  name: 'x',
  text: 'x',
});

/** The variables of an operation on a field, all of them valid but for the value at the place. */
function variablesWith({ argument, inputField }: Place, value: unknown): object {
  if (inputField === null) return { ...known(), [argument.name]: value };
  const input = getNullableType(argument.type);
  const names = isInputObjectType(input) ? Object.values(input.getFields()) : [];
  const required = names.filter(isRequiredInputField).map(({ name }) => name);
  const valid = Object.entries(known()).filter(([name]) => required.includes(name));
  return { [argument.name]: { ...Object.fromEntries(valid), [inputField]: value } };
}

function documentFor({ kind, field, argument }: Place): string {
  const list = field.args.filter((each) => each === argument || isRequiredArgument(each));
  const declared = list.map(({ name, type }) => `$${name}: ${type}`).join(', ');
  const used = list.map(({ name }) => `${name}: $${name}`).join(', ');
  const selection = isLeafType(getNamedType(field.type)) ? '' : '{ __typename }';
  return `${kind} (${declared}) { ${field.name}(${used}) ${selection} }`;
}

/** The first answer to an operation. To a subscription that is accepted, it is a message. */
async function answerTo(socket: RawSocket, id: string, isSubscription: boolean): Promise<readonly Frame[]> {
  const failed = socket.received('error', id);
  failed.catch(() => {});
  const answered = Promise.race([socket.received('next', id), failed, socket.received('complete', id)]);
  let isWaiting = isSubscription;
  void answered.finally(() => {
    isWaiting = false;
  });
  while (isWaiting) await send(alice, roomId, 'hello');
  return answered;
}

test.each(
  places.map((place) => ({
    place,
    name: `${place.field.name}(${place.argument.name}:${place.inputField === null ? '' : ` { ${place.inputField}: }`})`,
  })),
)('$name has only coded errors, whatever its variable is', async ({ place }) => {
  // Otherwise every answer would be an error of the document, and tell nothing about the variables.
  expect(validate(schema, parse(documentFor(place)))).toEqual([]);
  const socket = await openSocketOf(alice, parley.webSocketUrl);
  for (const [index, value] of VALUES.entries()) {
    const id = `${index}`;
    socket.subscribe(id, variablesWith(place, value), documentFor(place));
    const [answer] = await answerTo(socket, id, place.kind === 'subscription');
    for (const { extensions } of errorsIn(answer))
      expect(extensions?.code).toMatch(/^(?:BAD_USER_INPUT|FORBIDDEN)$/);
    socket.send({ type: 'complete', id });
  }
  // Its answer shows that the socket is still open.
  socket.send({ type: 'ping' });
  await socket.received('pong');
  socket.destroy();
});

function errorsIn(frame: Frame | undefined): readonly GraphQLError[] {
  if (frame?.type === 'error') return frame.payload;
  return frame?.type === 'next' ? (frame.payload.errors ?? []) : [];
}
