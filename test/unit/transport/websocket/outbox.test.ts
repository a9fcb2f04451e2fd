import { Writable } from 'node:stream';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { expect, test, vi } from 'vitest';
import type { WebSocket } from 'ws';
import { createFrameReader } from '../../../../bench/load/frames.js';
import { Outbox } from '../../../../src/transport/websocket/outbox.js';

const [OPEN, CLOSING, CLOSED] = [1, 2, 3];

/** A socket over a line that takes only what the test lets it take. */
function line() {
  const writes: string[] = [];
  let done: (() => void) | undefined;
  /** Writes that are taken at once. */
  let room = Number.POSITIVE_INFINITY;
  const tcp = new Writable({
    decodeStrings: false,
    write(chunk: string, _encoding, callback) {
      writes.push(chunk);
      room -= 1;
      if (room < 0) done = callback;
      else callback();
    },
  });
  const socket = {
    readyState: OPEN,
    OPEN,
    CLOSING,
    CLOSED,
    isPaused: false,
    get bufferedAmount() {
      return tcp.writableLength;
    },
    pause: () => {
      socket.isPaused = true;
    },
    resume: () => {
      socket.isPaused = false;
    },
  };
  const owner = {
    onExpired: vi.fn(() => {
      socket.readyState = CLOSING;
    }),
    onTooMuch: vi.fn(() => {
      socket.readyState = CLOSING;
    }),
  };
  const outbox = new Outbox(socket as unknown as WebSocket, tcp, owner);
  /** What arrived, frame by frame. */
  const texts = (): string[] => {
    const found: string[] = [];
    const bytes = Buffer.from(writes.join(''), 'latin1');
    createFrameReader((_opcode, all, from, to) => found.push(all.toString('utf8', from, to)))(
      bytes,
      bytes.length,
    );
    return found;
  };
  return {
    socket,
    owner,
    outbox,
    writes,
    texts,
    slow: () => {
      room = 0;
    },
    /** Takes what stands still, and so many writes after it. */
    async drain(writes = Number.POSITIVE_INFINITY): Promise<void> {
      room = writes;
      done?.();
      await nextTurn();
    },
  };
}

/** As `frames.ts` makes one. */
const frame = (text: string) => `\x81${String.fromCharCode(text.length)}${text}`;

const LONG = 'x'.repeat(100 * 1024);

test('frames of one turn are one write, in their order, whoever made them', async () => {
  const { outbox, writes, texts } = line();
  void outbox.send('an answer');
  expect(outbox.write(frame('a delivery'))).toBe(true);
  void outbox.send('Grüße 👋');
  void outbox.send('{"type":"complete"}');
  expect(writes).toEqual([]);
  await nextTurn();
  expect(writes).toHaveLength(1);
  expect(texts()).toEqual(['an answer', 'a delivery', 'Grüße 👋', '{"type":"complete"}']);
});

test('what was taken before the client may be told nothing more is not sent after that', async () => {
  const { outbox, owner, writes, socket } = line();
  outbox.expiresAt = Date.now() + 60_000;
  outbox.write(frame('in time'));
  outbox.flush(outbox.expiresAt - 1);
  outbox.write(frame('too late'));
  outbox.flush(outbox.expiresAt);
  expect(owner.onExpired).toHaveBeenCalledTimes(1);
  expect(socket.readyState).toBe(CLOSING);
  expect(writes).toHaveLength(1);
});

test('a client that reads slowly is not read, and gets all in the order in which it was sent', async () => {
  const { outbox, socket, texts, slow, drain } = line();
  slow();
  await outbox.send(`1${LONG}`);
  await outbox.send(`2${LONG}`);
  const order: string[] = [];
  const waiting = ['3', '4', '5'].map((text) => outbox.send(`${text}${LONG}`).then(() => order.push(text)));
  await nextTurn();
  expect(order).toEqual([]);
  expect(socket.isPaused).toBe(true);
  // Deliveries to many do not queue here: who is told them is given back.
  expect(outbox.write(frame('a delivery'))).toBe(false);
  expect(outbox.unsentBytes).toBeGreaterThan(5 * LONG.length);

  await drain();
  await Promise.all(waiting);
  expect(order).toEqual(['3', '4', '5']);
  expect(texts().map((text) => text[0])).toEqual(['1', '2', '3', '4', '5']);
  expect(socket.isPaused).toBe(false);
  expect(outbox.write(frame('a delivery'))).toBe(true);
});

test('a line that is slow again in the middle of what waits is waited for again', async () => {
  const { outbox, socket, texts, slow, drain } = line();
  slow();
  const sent = ['1', '2', '3', '4', '5'].map((text) => outbox.send(`${text}${LONG}`));
  await nextTurn();
  // It takes the third, and stands still with the fourth.
  await drain(1);
  expect(texts().map((text) => text[0])).toEqual(['1', '2', '3', '4']);
  expect(socket.isPaused).toBe(true);
  await drain();
  await Promise.all(sent);
  expect(texts().map((text) => text[0])).toEqual(['1', '2', '3', '4', '5']);
  expect(socket.isPaused).toBe(false);
});

test('where more waits than may the socket is closed; nothing of it is sent, and whoever waits goes on', async () => {
  const { outbox, socket, owner, writes, slow } = line();
  slow();
  const sent: Promise<void>[] = [];
  for (let count = 0; count < 90; count += 1) sent.push(outbox.send(LONG));
  expect(owner.onTooMuch).toHaveBeenCalledTimes(1);
  const { length } = writes;
  socket.readyState = CLOSED;
  outbox.onClose();
  await Promise.all(sent);
  await outbox.send('later');
  outbox.flush();
  expect(writes).toHaveLength(length);
});

test('a client that catches up again and again is never too slow, whatever it was sent in all', async () => {
  const { outbox, owner, texts, slow, drain } = line();
  const ROUNDS = 6;
  const FRAMES = 30;
  for (let round = 0; round < ROUNDS; round += 1) {
    slow();
    const sent = Array.from({ length: FRAMES }, () => outbox.send(LONG));
    expect(outbox.unsentBytes).toBeGreaterThan(FRAMES * LONG.length);
    await drain();
    await Promise.all(sent);
    expect(outbox.unsentBytes).toBe(0);
  }
  expect(ROUNDS * (FRAMES - 2) * LONG.length).toBeGreaterThan(2 * 8 * 1024 * 1024);
  expect(owner.onTooMuch).not.toHaveBeenCalled();
  expect(texts()).toHaveLength(ROUNDS * FRAMES);
});

test('a client that stays behind is not too slow while it takes as much as it is sent', async () => {
  const { outbox, owner, texts, slow, drain } = line();
  const BEHIND = 20;
  const TAKEN = 100;
  slow();
  const sent = Array.from({ length: BEHIND }, () => outbox.send(LONG));
  await nextTurn();
  const { unsentBytes } = outbox;
  for (let taken = 0; taken < TAKEN; taken += 1) {
    await drain(0);
    sent.push(outbox.send(LONG));
    expect(outbox.unsentBytes).toBeLessThanOrEqual(unsentBytes);
  }
  expect(TAKEN * LONG.length).toBeGreaterThan(8 * 1024 * 1024);
  expect(owner.onTooMuch).not.toHaveBeenCalled();
  await drain();
  await Promise.all(sent);
  expect(texts()).toHaveLength(BEHIND + TAKEN);
});

test('much in one turn does not make a client slow that keeps up', () => {
  const { outbox, texts } = line();
  for (let count = 0; count < 5000; count += 1)
    expect(outbox.write(frame(`delivery ${count}`.padEnd(100)))).toBe(true);
  outbox.flush();
  expect(texts()).toHaveLength(5000);
  expect(texts()[4999]).toMatch(/^delivery 4999/);
});
