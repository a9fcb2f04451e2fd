import { randomUUID } from 'node:crypto';
import { afterAll } from 'vitest';
import { deriveKey } from '../../src/auth/keys.js';
import type { Bus } from '../../src/domain/bus.js';
import { isHint, type RoomChanged } from '../../src/domain/events.js';

/** Key of the signatures of the buses under test. */
export const BUS_KEY = deriveKey('a secret for tests, longer than 32 bytes', 'bus');

/** An event with one message. */
export function change(roomId: string, text = 'hello'): RoomChanged {
  const message = {
    id: randomUUID(),
    roomId,
    seq: 1,
    rev: 1,
    type: 'TEXT',
    authorId: randomUUID(),
    subjectId: null,
    text,
    revision: 1,
    clientMessageId: null,
    createdAt: new Date(),
    changedAt: null,
  } as const;
  return { roomId, epoch: '0123456789abcdef', head: { seq: 1, rev: 1 }, messages: [message] };
}

/** Collects the events of a room from now on; resolves when the subscription is confirmed. */
export async function listen(bus: Bus, roomId: string): Promise<RoomChanged[]> {
  const received: RoomChanged[] = [];
  await bus.subscribe(roomId, (event) => !isHint(event) && received.push(event)).confirmed;
  return received;
}

export function textsOf(events: readonly RoomChanged[]): (string | undefined)[] {
  return events.map(({ messages }) => messages[0]?.text);
}

/** Collects the unhandled rejections of this process until the end of the test file. */
export function unhandledRejections(): unknown[] {
  const unhandled: unknown[] = [];
  const onRejection = (reason: unknown) => void unhandled.push(reason);
  process.on('unhandledRejection', onRejection);
  afterAll(() => void process.off('unhandledRejection', onRejection));
  return unhandled;
}
