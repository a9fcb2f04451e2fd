import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { createHeldPages, type HeldPage } from '../../../../src/delivery/replay/held-pages.js';
import { createModelRoom } from '../../../helpers/model-room.js';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

const { messages } = createModelRoom(3);
const seqOf = (page: HeldPage) => {
  const next = page.next();
  return typeof next === 'string' ? next : next.seq;
};

test('a page gives its messages in order, and its end', () => {
  const page = createHeldPages().hold(messages);
  expect([1, 2, 3, 4, 5].map(() => seqOf(page))).toEqual([1, 2, 3, 'end', 'end']);
});

test('a page is dropped a second after its reader has stalled, and not while the reader goes on', async () => {
  const pages = createHeldPages();
  const [stalled, slow] = [pages.hold(messages), pages.hold(messages)];
  expect([seqOf(stalled), seqOf(slow)]).toEqual([1, 1]);
  await vi.advanceTimersByTimeAsync(900);
  expect(seqOf(slow)).toBe(2);
  await vi.advanceTimersByTimeAsync(900);
  expect([seqOf(stalled), seqOf(slow)]).toEqual(['dropped', 3]);
  await vi.advanceTimersByTimeAsync(3000);
  expect(seqOf(slow)).toBe('dropped');
  expect(pages.bytes).toBe(0);
});

test('pages that are too large together are dropped, those used least recently first', () => {
  const size = createHeldPages();
  size.hold(messages);
  const pages = createHeldPages(2.5 * size.bytes);
  const held = [pages.hold(messages), pages.hold(messages)];
  expect(held.map(seqOf)).toEqual([1, 1]);
  expect(held[0] && seqOf(held[0])).toBe(2);
  held.push(pages.hold(messages));
  expect(held.map(seqOf)).toEqual([3, 'dropped', 1]);
  expect(pages.bytes).toBe(2 * size.bytes);
});

test('a page that alone is larger than all may be is held, since its reader could not go on otherwise', () => {
  const pages = createHeldPages(1);
  expect(seqOf(pages.hold(messages))).toBe(1);
});

test('a released page no longer counts', () => {
  const pages = createHeldPages();
  const page = pages.hold(messages);
  expect(pages.bytes).toBeGreaterThan(0);
  page.release();
  page.release();
  expect(pages.bytes).toBe(0);
});
