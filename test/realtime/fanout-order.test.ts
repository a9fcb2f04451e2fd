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
 * A group writes frames past graphql-ws, at the end of a turn of the event loop. Frames that graphql-ws sends in the same
 * turn must follow them.
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

const subscribeMessage = (id: string) => ({
  type: 'subscribe',
  id,
  payload: { query: MESSAGE_ADDED, variables: { roomId, after } },
});

/** The frames of one operation: the `seq` of each `next`, and the type of any other. */
const received = ({ frames }: { readonly frames: readonly Frame[] }, id: string) =>
  frames.flatMap((frame) =>
    'id' in frame && frame.id === id
      ? [frame.type === 'next' ? frame.payload.data?.messageAdded.node.seq : frame.type]
      : [],
  );

async function subscribeLive(person: Person, id: string): Promise<RawSocket> {
  const socket = await openSocketOf(person, parley.webSocketUrl);
  socket.send(subscribeMessage(id));
  await send(alice, roomId, 'to be live');
  await socket.received('next', id);
  return socket;
}

const sendBurst = (count: number) =>
  Promise.all(Array.from({ length: count }, (_, index) => send(alice, roomId, `${index}`)));

const seqs = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, index) => from + index);

test('a member who is removed during a burst receives everything before the removal, then the error, and nothing more', async () => {
  const first = (await send(alice, roomId, 'first')).node.seq;
  const [removed, stays] = [await subscribeLive(bob, 'b'), await subscribeLive(alice, 'a')];
  const before = sendBurst(20);
  const stores = openStores(parley.database);
  await stores.rooms.removeMember({
    roomId: rowId('Room', roomId) ?? '',
    userId: rowId('User', bob.userId) ?? '',
    actorId: rowId('User', alice.userId) ?? '',
    messageId: newId(),
  });
  await before;
  await sendBurst(5);
  const last = (await send(alice, roomId, 'last')).node.seq;
  await removed.received('error', 'b');
  await expect.poll(() => received(stays, 'a').at(-1)).toBe(last);

  const end = await page(alice, roomId, { first: 100 });
  const removal = end.edges.find(({ node }) => node.type === 'MEMBER_REMOVED')?.node.seq ?? 0;
  expect(removal).toBeGreaterThan(first);
  expect(received(removed, 'b')).toEqual([...seqs(first, removal - 1), 'error']);
  expect(received(stays, 'a')).toEqual(seqs(first, last));
});

test('an id that is reused during a burst receives the old operation to its end, then the new one', async () => {
  const socket = await subscribeLive(alice, 'x');
  const first = received(socket, 'x')[0] as number;
  for (let round = 0; round < 5; round++) {
    const sent = sendBurst(10);
    await socket.received('next', 'x', received(socket, 'x').length + 3);
    socket.send({ type: 'complete', id: 'x' }, subscribeMessage('x'));
    await sent;
  }
  const last = (await send(alice, roomId, 'last')).node.seq;
  await expect.poll(() => received(socket, 'x').at(-1)).toBe(last);

  // Each operation starts with the first message, and has no gap or duplicate.
  const all = received(socket, 'x') as number[];
  const starts = all.flatMap((seq, index) => (seq === first ? [index] : []));
  expect(starts).toHaveLength(6);
  for (const [round, start] of starts.entries()) {
    const part = all.slice(start, starts[round + 1]);
    expect(part).toEqual(seqs(first, first + part.length - 1));
  }
});

/** Expects the close to be the last frame, after some deliveries. */
function expectSilenceAfterClose({ frames }: Wire, code: number): void {
  const closes = frames.filter(({ opcode }) => opcode === OPCODE_CLOSE);
  expect(closes.map(({ text }) => Buffer.from(text, 'latin1').readUInt16BE())).toEqual([code]);
  expect(frames.at(-1)?.opcode).toBe(OPCODE_CLOSE);
  expect(frames.filter(({ text }) => text.includes('"type":"next"')).length).toBeGreaterThan(20);
}

test('nothing is sent after the close for an expired token, even during a burst', async () => {
  const tokens = createTokens(parley.config.jwtSecret ?? '', 2);
  const authentication = await tokens.authenticate(alice.token);
  if (authentication.kind !== 'viewer') throw new Error('A token that was just issued must be valid.');
  const wire = await openWire(await tokens.issue(authentication.viewer), parley.webSocketUrl);
  wire.send(...Array.from({ length: 20 }, (_, index) => subscribeMessage(`${index}`)));
  let open = true;
  const ended = wire.ended().then(() => {
    open = false;
  });
  while (open) await sendBurst(5);
  await ended;

  expectSilenceAfterClose(wire, 4403);
});

test('nothing is sent after the close of a restart, and no complete before it', async () => {
  const other = await startSibling(parley);
  const wire = await openWire(alice, other.webSocketUrl);
  wire.send(...Array.from({ length: 20 }, (_, index) => subscribeMessage(`${index}`)));
  await sendBurst(5);
  await expect.poll(() => wire.frames.length, { timeout: 10_000 }).toBeGreaterThan(60);
  const sent = sendBurst(30);
  const stopped = other.stop();
  await Promise.all([sent, stopped, wire.ended()]);

  expectSilenceAfterClose(wire, 1012);
  expect(wire.frames.filter(({ text }) => text.includes('"type":"complete"'))).toEqual([]);
});
