import { onTestFinished, vi } from 'vitest';
import { createLocalBus } from '../../src/bus/local.js';
import { createFeeds } from '../../src/delivery/feed/feeds.js';
import type { RoomEvent } from '../../src/delivery/room-event.js';
import type { EventStream } from '../../src/delivery/stream.js';
import { createSubscriptions, type Subscriber } from '../../src/delivery/subscription.js';
import { encodeMessageCursor } from '../../src/domain/cursor.js';
import type { EpochStore } from '../../src/domain/history.js';
import type { MessageStore } from '../../src/domain/message/store.js';
import type { Log } from '../../src/domain/ports.js';
import { createProfiles } from '../../src/domain/recent/profiles.js';
import { createModelRoom, MODEL_EPOCH, MODEL_ROOM_ID } from './model-room.js';

export const NEW_EPOCH = 'ffffffffffffffff';
export const VIEWER = { userId: '01976b3a-0000-7000-8000-000000000002', sessionId: '' };
const silent: Log = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };

/** An encoded cursor of the model room; a position if it has a `rev`. */
export const cursor = (seq: number, rev: number | null = null): string =>
  encodeMessageCursor({ roomId: MODEL_ROOM_ID, epoch: MODEL_EPOCH, seq, rev });

/**
 * Lets a test advance time by itself until its end. Reads begin in the next turn of the event loop, which stays real.
 */
export function fakeTimers(): void {
  vi.useFakeTimers({
    toFake: ['setTimeout', 'clearTimeout', 'setInterval', 'clearInterval', 'Date', 'performance'],
  });
  onTestFinished(() => void vi.useRealTimers());
}

/** Waits for a subscription with fake timers: one that opens soon after another shares its look-up with others. */
export async function soon<Result>(promise: Promise<Result>): Promise<Result> {
  await vi.advanceTimersByTimeAsync(20);
  return promise;
}

/** A subscription of the viewer to the model room. */
export const by = (after: string | null): Subscriber => ({
  viewer: VIEWER,
  roomId: MODEL_ROOM_ID,
  after,
  isGone: () => false,
});

/** A model room with `stored` messages, and real feeds and subscriptions of it. They are closed at the end of the test. */
export function subscribeToModel(stored: number, text?: string) {
  const room = createModelRoom();
  for (let count = 0; count < stored; count += 1) room.add(text === undefined ? {} : { text });
  // Subscriptions and feeds only read.
  const messages = room.store as unknown as MessageStore;
  const history = { epoch: MODEL_EPOCH };
  const epochs: EpochStore = {
    check: async () => {
      room.isMoved = false;
      room.epoch = NEW_EPOCH;
    },
    renew: async (known) => {
      if (room.epoch === known) room.epoch = NEW_EPOCH;
    },
  };
  const bus = createLocalBus(silent);
  const feeds = createFeeds({ messages, changes: room.changes, epochs, bus, history, log: silent });
  onTestFinished(() => feeds.close());
  return {
    room,
    bus,
    feeds,
    history,
    subscriptions: createSubscriptions({ messages, feeds, history, profiles: createProfiles() }),
    /** Adds the next message, and publishes it unless the event is to be lost. */
    send({ lost = false } = {}): void {
      const change = room.add();
      if (!lost) feeds.publish(change);
    },
  };
}

/** Takes the next `count` events; fewer if the stream ends. */
export async function take<Event>(stream: EventStream<Event>, count: number): Promise<Event[]> {
  const taken: Event[] = [];
  while (taken.length < count) {
    const { value, done } = await stream.next();
    if (done || !value) break;
    taken.push(value);
  }
  return taken;
}

export const takeSeqs = async (...args: Parameters<typeof take<{ node: { seq: number } }>>) =>
  (await take(...args)).map(({ node }) => node.seq);

export function brief(event: RoomEvent): string {
  switch (event.kind) {
    case 'added':
      return `added ${event.edge.node.seq}`;
    case 'changed':
      return `changed ${event.message.seq} to ${event.message.revision}`;
    case 'gap':
      return `gap ${event.reason}`;
    default:
      return event.kind;
  }
}

export const takeBriefs = async (...args: Parameters<typeof take<RoomEvent>>) =>
  (await take(...args)).map(brief);
