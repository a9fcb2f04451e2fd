import { setTimeout as sleep } from 'node:timers/promises';
import { newId } from '../../../src/domain/id.js';
import { rowId } from '../../../src/graphql/schema/global-id.js';
import { at as asAt, createRoom, joinRoom, type Person, send } from '../../helpers/client.js';
import { random } from '../../helpers/random.js';
import type { Stores } from '../../helpers/stores.js';
import type { Instance } from '../environment/instance.js';
import type { DeliveryLog, MessageRef } from '../verdict/check.js';
import { type Operations, openOperations } from './operations.js';
import { type CopiedEvent, copyRoom, EVENTS, type RoomCopy } from './room-copy.js';
import { at } from './test-room.js';

export interface Participants {
  readonly instances: readonly Instance[];
  readonly stores: Stores;
  /** Each one writes through another instance. The first one also creates the room and reads it. */
  readonly writers: readonly Person[];
  /** Joins and is removed repeatedly. */
  readonly guest: Person;
}

/** The result of a schedule, to be compared with the database. */
export interface ScheduleResult {
  readonly acked: readonly MessageRef[];
  readonly logs: readonly DeliveryLog[];
  /** How often readers were disconnected. */
  readonly cuts: number;
}

const ACTIONS_PER_SCHEDULE = 30;
const MAX_PAUSE_MS = 20;
const READERS = 3;
/** A reader is disconnected after a random number of events or a random time, whichever is first. */
const MAX_EVENTS = 15;
const MAX_CONNECTION_AGE_MS = 400;
const ARRIVAL_TIMEOUT_MS = 15_000;

/**
 * Runs random actions in a new room: writers send messages and edit their own, a guest joins and is removed, readers are
 * disconnected and resume on any instance. Edits and removals are written directly to the storage, without an event on the
 * bus.
 *
 * @throws Error if a reader's page with its events applied differs from a fresh page in the end.
 */
export async function runSchedule(
  participants: Participants,
  roomName: string,
  seed: number,
): Promise<ScheduleResult> {
  const { instances, writers } = participants;
  const owner = at(writers, 0);
  const roomId = await createRoom(owner, roomName);
  for (const writer of writers.slice(1)) await joinRoom(writer, roomId);
  const acked: MessageRef[] = [];
  const over = new AbortController();
  // Separate random numbers for each actor, so that its actions do not depend on the order of the others.
  const randomFor = (actor: number) => random(seed * 100 + actor);

  const reading = Promise.all(
    Array.from({ length: READERS }, (_, index) =>
      read(instances, owner, roomId, randomFor(10 + index), over.signal),
    ),
  );
  // A rejection is reported where `reading` is awaited.
  reading.catch(() => {});
  await Promise.all([
    ...writers.map((writer, index) => {
      const onInstance = asAt(at(instances, index).url, writer);
      return write(onInstance, roomId, participants.stores, randomFor(index), acked);
    }),
    joinAndRemove(participants, owner, roomId, randomFor(9)),
  ]);
  over.abort();
  const readers = await reading;

  for (const { copy, fresh } of readers)
    if (copy.text() !== fresh)
      throw new Error(
        `Seed ${seed}: a page and its events give\n${copy.text()}\nbut a fresh page is\n${fresh}`,
      );
  return {
    acked,
    logs: readers.map(({ copy }) => copy),
    cuts: readers.reduce((sum, { cuts }) => sum + cuts, 0),
  };
}

async function write(
  writer: Person,
  roomId: string,
  stores: Stores,
  next: () => number,
  acked: MessageRef[],
): Promise<void> {
  const own: string[] = [];
  for (let act = 1; act <= ACTIONS_PER_SCHEDULE; act += 1) {
    const target = own[Math.floor(next() * own.length)];
    if (next() < 0.5 || target === undefined) {
      const { node } = await send(writer, roomId, `${act}`, `${writer.username}-${act}`);
      own.push(node.id);
      acked.push(node);
    } else {
      const edited = await stores.messages.edit({
        roomId: rowId('Room', roomId) ?? '',
        messageId: rowId('Message', target) ?? '',
        editorId: rowId('User', writer.userId) ?? '',
        text: `edited by act ${act}`,
      });
      if (edited.kind !== 'edited') throw new Error(`An edit was rejected: ${edited.kind}.`);
    }
    await sleep(next() * MAX_PAUSE_MS);
  }
}

async function joinAndRemove(
  { stores, guest, instances }: Participants,
  owner: Person,
  roomId: string,
  next: () => number,
): Promise<void> {
  for (let visit = 1; visit <= ACTIONS_PER_SCHEDULE / 10; visit += 1) {
    await joinRoom(asAt(at(instances, Math.floor(next() * instances.length)).url, guest), roomId);
    await sleep(next() * MAX_PAUSE_MS * 10);
    const removed = await stores.rooms.removeMember({
      roomId: rowId('Room', roomId) ?? '',
      userId: rowId('User', guest.userId) ?? '',
      actorId: rowId('User', owner.userId) ?? '',
      messageId: newId(),
    });
    if (!removed) throw new Error('A guest could not be removed.');
  }
}

/** Reads and reconnects while others write; then until it has caught up and equals a fresh page, or times out. */
async function read(
  instances: readonly Instance[],
  { token }: Person,
  roomId: string,
  next: () => number,
  over: AbortSignal,
): Promise<{ copy: RoomCopy; fresh: string; cuts: number }> {
  const open = () => openOperations(at(instances, Math.floor(next() * instances.length)).webSocketUrl, token);
  let operations = await open();
  const copy = await copyRoom(operations, roomId);
  let cuts = 0;
  for (; !over.aborted; cuts += 1) {
    const limit = Math.floor(next() * MAX_EVENTS);
    let count = 0;
    await follow(operations, roomId, copy, () => ++count > limit, next() * MAX_CONNECTION_AGE_MS);
    operations.destroy();
    operations = await open();
  }
  const fresh = (await copyRoom(operations, roomId)).text();
  let isCaughtUp = false;
  const isThere = ({ __typename }: CopiedEvent): boolean => {
    isCaughtUp ||= __typename === 'CaughtUpEvent';
    return isCaughtUp && copy.text() === fresh;
  };
  await follow(operations, roomId, copy, isThere, ARRIVAL_TIMEOUT_MS);
  operations.destroy();
  return { copy, fresh, cuts };
}

/** Applies events until `isEnough` returns true for one, or the timeout has passed. */
function follow(
  operations: Operations,
  roomId: string,
  copy: RoomCopy,
  isEnough: (event: CopiedEvent) => boolean,
  timeoutMs: number,
): Promise<void> {
  return new Promise((resolve, reject) => {
    const leave = (): void => {
      clearTimeout(timer);
      complete();
      resolve();
    };
    const timer = setTimeout(() => leave(), timeoutMs);
    const complete = operations.start<{ roomEvents: CopiedEvent }>(
      EVENTS,
      { roomId, after: copy.cursor },
      {
        next({ roomEvents: event }) {
          copy.apply(event);
          if (isEnough(event)) leave();
        },
        ended(errors) {
          clearTimeout(timer);
          reject(new Error(`A reader's subscription ended: ${JSON.stringify(errors)}`));
        },
      },
    );
  });
}
