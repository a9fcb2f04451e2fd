import { Writable } from 'node:stream';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { expect, test, vi } from 'vitest';
import type { WebSocket } from 'ws';
import { createFrameReader } from '../../../../bench/load/frames.js';
import { Outbox } from '../../../../src/transport/websocket/outbox.js';

const [OPEN, CLOSING, CLOSED] = [1, 2, 3];

/** An outbox on a fake socket, which accepts only as many writes as the test allows. */
function createOutbox() {
  const writes: string[] = [];
  let completeWrite: (() => void) | undefined;
  /** The number of further writes that complete immediately. */
  let capacity = Number.POSITIVE_INFINITY;
  const tcp = new Writable({
    decodeStrings: false,
    write(chunk: string, _encoding, callback) {
      writes.push(chunk);
      capacity -= 1;
      if (capacity < 0) completeWrite = callback;
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
    onOverflow: vi.fn(() => {
      socket.readyState = CLOSING;
    }),
  };
  const outbox = new Outbox(socket as unknown as WebSocket, tcp, owner);
  /** The texts of all frames written so far. */
  const texts = (): string[] => {
    const received: string[] = [];
    const bytes = Buffer.from(writes.join(''), 'latin1');
    createFrameReader((_opcode, data, from, to) => received.push(data.toString('utf8', from, to)))(
      bytes,
      bytes.length,
    );
    return received;
  };
  return {
    socket,
    owner,
    outbox,
    writes,
    texts,
    block: () => {
      capacity = 0;
    },
    /** Completes the blocked write and the given number of writes after it. */
    async drain(writes = Number.POSITIVE_INFINITY): Promise<void> {
      capacity = writes;
      completeWrite?.();
      await nextTurn();
    },
  };
}

/** A text frame of up to 125 bytes. */
const frame = (text: string) => `\x81${String.fromCharCode(text.length)}${text}`;

const LONG = 'x'.repeat(100 * 1024);

test('all frames of one turn are sent in one write, in order', async () => {
  const { outbox, writes, texts } = createOutbox();
  void outbox.send('a result');
  expect(outbox.write(frame('a delivery'))).toBe(true);
  void outbox.send('Grüße 👋');
  void outbox.send('{"type":"complete"}');
  expect(writes).toEqual([]);
  await nextTurn();
  expect(writes).toHaveLength(1);
  expect(texts()).toEqual(['a result', 'a delivery', 'Grüße 👋', '{"type":"complete"}']);
});

test('frames written before the expiry are not sent after it', async () => {
  const { outbox, owner, writes, socket } = createOutbox();
  outbox.expiresAt = Date.now() + 60_000;
  outbox.write(frame('in time'));
  outbox.flush(outbox.expiresAt - 1);
  outbox.write(frame('too late'));
  outbox.flush(outbox.expiresAt);
  expect(owner.onExpired).toHaveBeenCalledTimes(1);
  expect(socket.readyState).toBe(CLOSING);
  expect(writes).toHaveLength(1);
});

test('the socket of a slow client is paused, and the client receives all texts in order', async () => {
  const { outbox, socket, texts, block, drain } = createOutbox();
  block();
  await outbox.send(`1${LONG}`);
  await outbox.send(`2${LONG}`);
  const order: string[] = [];
  const queued = ['3', '4', '5'].map((text) => outbox.send(`${text}${LONG}`).then(() => order.push(text)));
  await nextTurn();
  expect(order).toEqual([]);
  expect(socket.isPaused).toBe(true);
  // Group deliveries are not queued: the group releases a slow subscriber.
  expect(outbox.write(frame('a delivery'))).toBe(false);
  expect(outbox.unsentBytes).toBeGreaterThan(5 * LONG.length);

  await drain();
  await Promise.all(queued);
  expect(order).toEqual(['3', '4', '5']);
  expect(texts().map((text) => text[0])).toEqual(['1', '2', '3', '4', '5']);
  expect(socket.isPaused).toBe(false);
  expect(outbox.write(frame('a delivery'))).toBe(true);
});

test('if the client is slow again, the rest of the queue waits for the next drain', async () => {
  const { outbox, socket, texts, block, drain } = createOutbox();
  block();
  const sent = ['1', '2', '3', '4', '5'].map((text) => outbox.send(`${text}${LONG}`));
  await nextTurn();
  // The third text is written, and the fourth one blocks.
  await drain(1);
  expect(texts().map((text) => text[0])).toEqual(['1', '2', '3', '4']);
  expect(socket.isPaused).toBe(true);
  await drain();
  await Promise.all(sent);
  expect(texts().map((text) => text[0])).toEqual(['1', '2', '3', '4', '5']);
  expect(socket.isPaused).toBe(false);
});

test('an overflow of the queue closes the socket: nothing more is sent, and pending sends resolve', async () => {
  const { outbox, socket, owner, writes, block } = createOutbox();
  block();
  const sent: Promise<void>[] = [];
  for (let count = 0; count < 90; count += 1) sent.push(outbox.send(LONG));
  expect(owner.onOverflow).toHaveBeenCalledTimes(1);
  const { length } = writes;
  socket.readyState = CLOSED;
  outbox.onClose();
  await Promise.all(sent);
  await outbox.send('later');
  outbox.flush();
  expect(writes).toHaveLength(length);
});

test('a client that catches up again and again never overflows, however much it is sent in total', async () => {
  const { outbox, owner, texts, block, drain } = createOutbox();
  const ROUNDS = 6;
  const FRAMES = 30;
  for (let round = 0; round < ROUNDS; round += 1) {
    block();
    const sent = Array.from({ length: FRAMES }, () => outbox.send(LONG));
    expect(outbox.unsentBytes).toBeGreaterThan(FRAMES * LONG.length);
    await drain();
    await Promise.all(sent);
    expect(outbox.unsentBytes).toBe(0);
  }
  expect(ROUNDS * (FRAMES - 2) * LONG.length).toBeGreaterThan(2 * 8 * 1024 * 1024);
  expect(owner.onOverflow).not.toHaveBeenCalled();
  expect(texts()).toHaveLength(ROUNDS * FRAMES);
});

test('a client that stays behind does not overflow while it takes as much as it is sent', async () => {
  const { outbox, owner, texts, block, drain } = createOutbox();
  const QUEUED_WRITES = 20;
  const ACCEPTED_WRITES = 100;
  block();
  const sent = Array.from({ length: QUEUED_WRITES }, () => outbox.send(LONG));
  await nextTurn();
  const { unsentBytes } = outbox;
  for (let taken = 0; taken < ACCEPTED_WRITES; taken += 1) {
    await drain(0);
    sent.push(outbox.send(LONG));
    expect(outbox.unsentBytes).toBeLessThanOrEqual(unsentBytes);
  }
  expect(ACCEPTED_WRITES * LONG.length).toBeGreaterThan(8 * 1024 * 1024);
  expect(owner.onOverflow).not.toHaveBeenCalled();
  await drain();
  await Promise.all(sent);
  expect(texts()).toHaveLength(QUEUED_WRITES + ACCEPTED_WRITES);
});

test('many frames in one turn do not make a client slow', () => {
  const { outbox, texts } = createOutbox();
  for (let count = 0; count < 5000; count += 1)
    expect(outbox.write(frame(`delivery ${count}`.padEnd(100)))).toBe(true);
  outbox.flush();
  expect(texts()).toHaveLength(5000);
  expect(texts()[4999]).toMatch(/^delivery 4999/);
});
