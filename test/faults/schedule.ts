import { setTimeout as sleep } from 'node:timers/promises';
import { newId } from '../../src/domain/id.js';
import { rowId } from '../../src/graphql/schema/global-id.js';
import { at as asAt, createRoom, joinRoom, type Person, send } from '../helpers/client.js';
import { random } from '../helpers/model-room.js';
import type { Stores } from '../helpers/stores.js';
import type { Placed, ScreenLog } from './check.js';
import type { Instance } from './instance.js';
import { type Operations, openOperations } from './operations.js';
import { type CopiedEvent, copyRoom, EVENTS, type RoomCopy } from './room-copy.js';
import { at } from './scene.js';

export interface Cast {
  readonly instances: readonly Instance[];
  readonly stores: Stores;
  /** They write, each by an instance of their own. The first one makes the room and reads it, too. */
  readonly writers: readonly Person[];
  /** Comes and is removed, again and again. */
  readonly guest: Person;
}

/** What a schedule leaves to be judged against the database. */
export interface Played {
  readonly acked: readonly Placed[];
  readonly logs: readonly ScreenLog[];
  /** How often a reader was cut off. */
  readonly cuts: number;
}

const ACTS = 30;
const MAX_PAUSE_MS = 20;
const READERS = 3;
/** A reader is cut off after so many events, or so many ms, whichever is first. */
const MAX_EVENTS = 15;
const MAX_STAY_MS = 400;
const ARRIVAL_TIMEOUT_MS = 15_000;

/**
 * Lets all act at random in a new room: writers send, and edit what they sent; somebody comes and is removed; readers are cut
 * off and go on by either instance. Edits and removals are written by the storage alone, and ring no bell.
 *
 * @throws where a reader's page with its events applied is not, in the end, what a fresh page shows.
 */
export async function playSchedule(cast: Cast, roomName: string, seed: number): Promise<Played> {
  const { instances, writers } = cast;
  const owner = at(writers, 0);
  const roomId = await createRoom(owner, roomName);
  for (const writer of writers.slice(1)) await joinRoom(writer, roomId);
  const acked: Placed[] = [];
  const over = new AbortController();
  // Each has random numbers of their own, so that their acts don't depend on who comes first.
  const drawn = (actor: number) => random(seed * 100 + actor);

  const reading = Promise.all(
    Array.from({ length: READERS }, (_, index) =>
      read(instances, owner, roomId, drawn(10 + index), over.signal),
    ),
  );
  // Told where it is awaited.
  reading.catch(() => {});
  await Promise.all([
    ...writers.map((writer, index) => {
      const near = asAt(at(instances, index).url, writer);
      return write(near, roomId, cast.stores, drawn(index), acked);
    }),
    comeAndGo(cast, owner, roomId, drawn(9)),
  ]);
  over.abort();
  const readers = await reading;

  for (const { copy, fresh } of readers)
    if (copy.text() !== fresh)
      throw new Error(
        `Seed ${seed}: a page and its events are\n${copy.text()}\nand a fresh page is\n${fresh}`,
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
  acked: Placed[],
): Promise<void> {
  const own: string[] = [];
  for (let act = 1; act <= ACTS; act += 1) {
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
      if (edited.kind !== 'edited') throw new Error(`An edit was refused: ${edited.kind}.`);
    }
    await sleep(next() * MAX_PAUSE_MS);
  }
}

async function comeAndGo(
  { stores, guest, instances }: Cast,
  owner: Person,
  roomId: string,
  next: () => number,
): Promise<void> {
  for (let visit = 1; visit <= ACTS / 10; visit += 1) {
    await joinRoom(asAt(at(instances, Math.floor(next() * instances.length)).url, guest), roomId);
    await sleep(next() * MAX_PAUSE_MS * 10);
    const gone = await stores.rooms.removeMember({
      roomId: rowId('Room', roomId) ?? '',
      userId: rowId('User', guest.userId) ?? '',
      actorId: rowId('User', owner.userId) ?? '',
      messageId: newId(),
    });
    if (!gone) throw new Error('A guest could not be removed.');
  }
}

/** Reads in rounds while there is writing; then until it has caught up and shows what a fresh page does, if it ever does. */
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
    const most = Math.floor(next() * MAX_EVENTS);
    let count = 0;
    await follow(operations, roomId, copy, () => ++count > most, next() * MAX_STAY_MS);
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

/** Applies events until one of them is enough, or the time is over. */
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
          reject(new Error(`A reader was sent away: ${JSON.stringify(errors)}`));
        },
      },
    );
  });
}
