import { randomUUID } from 'node:crypto';
import { afterAll } from 'vitest';
import type { Bus } from '../../src/domain/bus.js';
import type { RoomChanged } from '../../src/domain/events.js';

/** A change of one message. */
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

/** What a listener of a room hears from now on; resolves once it misses nothing. */
export async function listen(bus: Bus, roomId: string): Promise<RoomChanged[]> {
  const heard: RoomChanged[] = [];
  await bus.subscribe(roomId, (event) => heard.push(event)).confirmed;
  return heard;
}

export function textsOf(heard: readonly RoomChanged[]): (string | undefined)[] {
  return heard.map(({ messages }) => messages[0]?.text);
}

/** Collects the promises of this process that reject without anyone to catch it, until the end of the test file. */
export function unhandledRejections(): unknown[] {
  const unhandled: unknown[] = [];
  const onRejection = (reason: unknown) => void unhandled.push(reason);
  process.on('unhandledRejection', onRejection);
  afterAll(() => void process.off('unhandledRejection', onRejection));
  return unhandled;
}
