import { beforeAll, beforeEach, expect, test } from 'vitest';
import { createTokens } from '../../src/auth/tokens.js';
import { newId } from '../../src/domain/id.js';
import { rowId } from '../../src/graphql/schema/global-id.js';
import { createRoom, joinRoom, MESSAGE_ADDED, type Person, page, send, signUp } from '../helpers/client.js';
import { openStores } from '../helpers/database.js';
import { startParley, startSibling, type TestParley } from '../helpers/parley.js';
import { type Frame, openSocketOf, type RawSocket } from '../helpers/raw-socket.js';
import { openWire, type Wire } from '../helpers/wire.js';

/*
 * Frames of live subscribers are written past graphql-ws, at the end of a turn. They must not come after what graphql-ws
 * writes meanwhile.
 */

const OPCODE_CLOSE = 8;

let parley: TestParley;
let alice: Person;
let bob: Person;
let roomId: string;
let after: string;

beforeAll(async () => {
  parley = await startParley();
  [alice, bob] = [await signUp(parley.url), await signUp(parley.url)];
});

beforeEach(async () => {
  roomId = await createRoom(alice);
  await joinRoom(bob, roomId);
  after = (await page(alice, roomId)).liveCursor;
});

const begin = (id: string) => ({
  type: 'subscribe',
  id,
  payload: { query: MESSAGE_ADDED, variables: { roomId, after } },
});

/** Of one id: the `seq` of each `next`, and the types of all else. */
const told = ({ frames }: { readonly frames: readonly Frame[] }, id: string) =>
  frames.flatMap((frame) =>
    'id' in frame && frame.id === id
      ? [frame.type === 'next' ? frame.payload.data?.messageAdded.node.seq : frame.type]
      : [],
  );

async function live(person: Person, id: string): Promise<RawSocket> {
  const socket = await openSocketOf(person, parley.webSocketUrl);
  socket.send(begin(id));
  await send(alice, roomId, 'to be live');
  await socket.received('next', id);
  return socket;
}

const burst = (count: number) =>
  Promise.all(Array.from({ length: count }, (_, index) => send(alice, roomId, `${index}`)));

const seqs = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, index) => from + index);

test('who is removed in the middle of a burst is told all before it, then the end, and nothing more', async () => {
  const first = (await send(alice, roomId, 'first')).node.seq;
  const [removed, stays] = [await live(bob, 'b'), await live(alice, 'a')];
  const before = burst(20);
  const stores = openStores(parley.database);
  await stores.rooms.removeMember({
    roomId: rowId('Room', roomId) ?? '',
    userId: rowId('User', bob.userId) ?? '',
    actorId: rowId('User', alice.userId) ?? '',
    messageId: newId(),
  });
  await before;
  await burst(5);
  const last = (await send(alice, roomId, 'last')).node.seq;
  await removed.received('error', 'b');
  await expect.poll(() => told(stays, 'a').at(-1)).toBe(last);

  const end = await page(alice, roomId, { first: 100 });
  const removal = end.edges.find(({ node }) => node.type === 'MEMBER_REMOVED')?.node.seq ?? 0;
  expect(removal).toBeGreaterThan(first);
  expect(told(removed, 'b')).toEqual([...seqs(first, removal - 1), 'error']);
  expect(told(stays, 'a')).toEqual(seqs(first, last));
});

test('an id that is used again at once in the middle of a burst: the old operation to its end, then the new one', async () => {
  const socket = await live(alice, 'x');
  const first = told(socket, 'x')[0] as number;
  for (let round = 0; round < 5; round++) {
    const sent = burst(10);
    await socket.received('next', 'x', told(socket, 'x').length + 3);
    socket.send({ type: 'complete', id: 'x' }, begin('x'));
    await sent;
  }
  const last = (await send(alice, roomId, 'last')).node.seq;
  await expect.poll(() => told(socket, 'x').at(-1)).toBe(last);

  // Each of them begins with the first message, and none has a hole or a repeat.
  const all = told(socket, 'x') as number[];
  const starts = all.flatMap((seq, index) => (seq === first ? [index] : []));
  expect(starts).toHaveLength(6);
  for (const [round, start] of starts.entries()) {
    const part = all.slice(start, starts[round + 1]);
    expect(part).toEqual(seqs(first, first + part.length - 1));
  }
});

/** The close is the last frame, and there were deliveries before it. */
function expectSilenceAfterClose({ frames }: Wire, code: number): void {
  const closes = frames.filter(({ opcode }) => opcode === OPCODE_CLOSE);
  expect(closes.map(({ text }) => Buffer.from(text, 'latin1').readUInt16BE())).toEqual([code]);
  expect(frames.at(-1)?.opcode).toBe(OPCODE_CLOSE);
  expect(frames.filter(({ text }) => text.includes('"type":"next"')).length).toBeGreaterThan(20);
}

test('after the close of an expired token nothing is written, whatever is sent at that moment', async () => {
  const tokens = createTokens(parley.config.jwtSecret ?? '', 2);
  const known = await tokens.authenticate(alice.token);
  if (known.kind !== 'viewer') throw new Error('a token that was just issued must be good');
  const wire = await openWire(await tokens.issue(known.viewer), parley.webSocketUrl);
  wire.send(...Array.from({ length: 20 }, (_, index) => begin(`${index}`)));
  let open = true;
  const ended = wire.ended().then(() => {
    open = false;
  });
  while (open) await burst(5);
  await ended;

  expectSilenceAfterClose(wire, 4403);
});

test('after the close of a restart nothing is written, and no operation is complete', async () => {
  const other = await startSibling(parley);
  const wire = await openWire(alice, other.webSocketUrl);
  wire.send(...Array.from({ length: 20 }, (_, index) => begin(`${index}`)));
  await burst(5);
  await expect.poll(() => wire.frames.length, { timeout: 10_000 }).toBeGreaterThan(60);
  const sent = burst(30);
  const stopped = other.stop();
  await Promise.all([sent, stopped, wire.ended()]);

  expectSilenceAfterClose(wire, 1012);
  expect(wire.frames.filter(({ text }) => text.includes('"type":"complete"'))).toEqual([]);
});
