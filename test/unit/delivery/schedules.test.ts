import { expect, test, vi } from 'vitest';
import type { RoomEvent } from '../../../src/delivery/room-event.js';
import type { EventStream } from '../../../src/delivery/stream.js';
import { ForbiddenError, HistoryGapError, ServiceUnavailableError } from '../../../src/domain/errors.js';
import type { RoomChanged } from '../../../src/domain/events.js';
import type { Message, MessageEdge } from '../../../src/domain/message/message.js';
import { MODEL_ROOM_ID, type ModelRoom, numbers } from '../../helpers/model-room.js';
import { cursor, fakeTimers, subscribeToModel } from '../../helpers/model-subscriptions.js';
import { random } from '../../helpers/random.js';

/*
 * Every read of the database waits for a scheduler, which decides what happens next: the read takes its snapshot before or
 * after, or fails; messages are sent, changed, lost and delayed; readers come, go, read or stall; they are removed; rings are
 * emptied; a backup is restored. Afterwards everything works again, and each reader must have received exactly what the
 * model says, or the error that it says. A reader who is silent for ever fails.
 */

/** 10,000 in all, in several tests, so that each takes seconds. */
const TESTS = 5;
const SCHEDULES_PER_TEST = 2000;
const STEPS = 40;

type Choice = (limit: number) => number;

/** Lets the scheduler decide when each read of the room continues. Returns the reads that wait. */
function holdReads(room: ModelRoom, below: Choice) {
  const waiting: ((isAvailable: boolean) => void)[] = [];
  const hold =
    <Args extends unknown[], Found>(read: (...args: Args) => Promise<Found>) =>
    async (...args: Args): Promise<Found> => {
      const isEarly = below(2) === 0;
      const found = isEarly ? read(...args) : null;
      const isAvailable = await new Promise<boolean>((resolve) => waiting.push(resolve));
      if (!isAvailable) throw new ServiceUnavailableError();
      return found ?? read(...args);
    };
  const { store, changes } = room;
  Object.assign(store, {
    read: hold(store.read),
    readChanges: hold(store.readChanges),
    readSince: hold(store.readSince),
    readAccess: hold(store.readAccess),
    readHeads: hold(store.readHeads),
    compareHeads: hold(store.compareHeads),
    findId: hold(store.findId),
  });
  Object.assign(changes, { readRecent: hold(changes.readRecent) });
  return {
    release(isAvailable = true): void {
      const [next] = waiting.splice(below(waiting.length), 1);
      next?.(isAvailable);
    },
    get size() {
      return waiting.length;
    },
  };
}

/** A client, and what it has received. */
class Client {
  readonly added: Message[] = [];
  /** The revision of each message that the client has, by `seq`. */
  readonly state = new Map<number, number>();
  readonly changed: Message[] = [];
  error: unknown = null;
  isReset = false;
  isLeaving = false;
  /** Whether it reads on by itself. */
  isEager = false;
  private stream: EventStream<MessageEdge> | EventStream<RoomEvent> | null = null;
  private isReading = false;

  constructor(
    readonly userId: string,
    readonly start: number,
    private readonly room: ModelRoom,
    opening: Promise<EventStream<MessageEdge> | EventStream<RoomEvent>>,
  ) {
    for (const { seq, revision } of room.messages.slice(0, start)) this.state.set(seq, revision);
    opening.then(
      (stream) => {
        this.stream = stream;
        if (this.isLeaving) void stream.return();
      },
      (error) => {
        this.error = error;
      },
    );
  }

  get isOpen(): boolean {
    return this.stream !== null && this.error === null;
  }

  read(): void {
    if (this.isReading || !this.stream || this.error) return;
    this.isReading = true;
    this.stream.next().then(
      ({ value }) => {
        this.isReading = false;
        if (value) this.take(value);
        if (value && this.isEager) this.read();
      },
      (error) => {
        this.isReading = false;
        this.error = error;
      },
    );
  }

  leave(): void {
    this.isLeaving = true;
    void this.stream?.return();
  }

  private take(event: MessageEdge | RoomEvent): void {
    if (!('kind' in event)) this.add(event.node);
    else if (event.kind === 'added') this.add(event.edge.node);
    else if (event.kind === 'changed') {
      this.changed.push(event.message);
      this.update(event.message);
    } else if (event.kind === 'gap') {
      // The client fetches a page.
      this.isReset = true;
      this.added.length = 0;
      this.state.clear();
      for (const message of this.room.messages) this.update(message);
    }
  }

  private add(message: Message): void {
    this.added.push(message);
    this.update(message);
  }

  private update({ seq, revision }: Message): void {
    this.state.set(seq, Math.max(revision, this.state.get(seq) ?? 0));
  }
}

const turn = () => new Promise<void>((resolve) => setImmediate(resolve));

async function runSchedule(seed: number, advance: (ms: number) => Promise<unknown>): Promise<void> {
  const next = random(seed);
  const below: Choice = (limit) => Math.floor(next() * limit);
  const model = subscribeToModel(below(4) === 0 ? 300 + below(100) : below(60));
  const { room, feeds, subscriptions } = model;
  const reads = holdReads(room, below);
  const clients: Client[] = [];
  /** The `rev` of the message that removes a user. */
  const removals = new Map<string, number>();
  const delayed: RoomChanged[] = [];
  let isRestored = false;
  const mayRestore = below(5) === 0;

  const announce = (change: RoomChanged): void => {
    const fate = below(4);
    if (fate === 0) delayed.push(change);
    else if (fate > 1) feeds.publish(change);
  };

  const actions: (() => unknown)[] = [
    () => announce(room.add()),
    () => announce(room.add()),
    () => {
      const message = room.messages[below(room.messages.length)];
      if (message?.type === 'TEXT') announce(room.edit(message.seq));
    },
    () => {
      const [change] = delayed.splice(below(delayed.length), 1);
      if (change) feeds.publish(change);
    },
    () => reads.release(),
    () => reads.release(),
    () => reads.release(),
    () => reads.release(below(4) > 0),
    () => clients[below(clients.length)]?.read(),
    () => clients[below(clients.length)]?.read(),
    () => {
      for (const client of clients) client.read();
    },
    () => {
      if (clients.length >= 4) return;
      const userId = `user ${clients.length}`;
      const isFromNow = below(3) === 0 && room.head.seq > 0;
      const start = isFromNow ? room.head.seq : Math.max(0, room.head.seq - below(below(2) === 0 ? 10 : 400));
      const { rev } = room.head;
      const after = isFromNow ? null : start === room.head.seq ? cursor(start, rev) : cursor(start, start);
      const isGone = () => false;
      const given = { viewer: { userId, sessionId: '' }, roomId: MODEL_ROOM_ID, after, isGone };
      const opening = below(2) === 0 ? subscriptions.messages(given) : subscriptions.events(given);
      clients.push(new Client(userId, isFromNow ? Number.NaN : start, room, opening));
    },
    () => {
      if (below(3) === 0) clients[below(clients.length)]?.leave();
    },
    () => {
      const client = clients[below(clients.length)];
      if (!client || room.removed.has(client.userId) || below(3) > 0) return;
      const change = room.add({ type: 'MEMBER_REMOVED', subjectId: client.userId });
      room.removed.add(client.userId);
      removals.set(client.userId, change.head.rev);
      announce(change);
    },
    () => advance([1, 60, 1000, 61_000][below(4)] ?? 1),
    () => {
      if (!mayRestore || isRestored || removals.size > 0 || below(6) > 0) return;
      isRestored = true;
      room.restore(below(room.head.seq + 1));
      // Into another server. In the same one, only a feed that has seen more can know it: see history-reset.test.ts.
      room.isMoved = true;
    },
  ];

  for (let step = 0; step < STEPS; step += 1) {
    await actions[below(actions.length)]?.();
    await turn();
  }

  // Everything works again: nothing that was delayed arrives any more, and everybody reads.
  announce(room.add());
  for (const client of clients) client.isEager = true;
  for (let round = 0; round < 100; round += 1) {
    while (reads.size > 0) reads.release();
    for (const client of clients) client.read();
    await advance(200);
    await turn();
    if (round > 20 && clients.every((client) => isDone(client))) break;
  }
  for (const client of clients) check(client);
  for (const client of clients) client.leave();
  feeds.close();

  function isDone(client: Client): boolean {
    if (client.error || client.isLeaving || !client.isOpen) return client.error !== null || client.isLeaving;
    return (client.added.at(-1)?.seq ?? client.start) >= room.head.seq || client.isReset;
  }

  function check(client: Client): void {
    const at = `seed ${seed}, ${client.userId}`;
    const { added, error, start } = client;
    const removedAt = removals.get(client.userId) ?? Infinity;
    // Nothing twice, nothing left out, nothing after a removal: a message that was changed since is not shown as it was.
    const seqs = added.map(({ seq }) => seq);
    const first = seqs[0] ?? 0;
    const last = seqs.at(-1) ?? -1;
    const isHidden = (seq: number) => (room.messages[seq - 1]?.rev ?? 0) > removedAt;
    expect(seqs, at).toEqual(numbers(first, last).filter((seq) => seqs.includes(seq) || !isHidden(seq)));
    if (!Number.isNaN(start) && !client.isReset && added.length > 0)
      expect(numbers(start + 1, first).filter((seq) => !isHidden(seq))[0] ?? first, at).toBe(first);
    // In a restored copy, the numbers begin again below those that were checked, until the tick finds the copy.
    if (!isRestored)
      for (const message of [...added, ...client.changed]) expect(message.rev, at).toBeLessThan(removedAt);
    if (client.isLeaving || (isRestored && error instanceof HistoryGapError)) return;
    if (removedAt < Infinity) {
      expect(error, `${at}: the end of the membership`).toBeInstanceOf(ForbiddenError);
      return;
    }
    expect(error, at).toBeNull();
    expect(client.isOpen, at).toBe(true);
    if (isRestored && !client.isReset)
      // It has come after the restore: nothing of the former history was shown.
      for (const { seq, id } of added) expect(id, at).toBe(room.messages[seq - 1]?.id);
    expect(client.isReset || (added.at(-1)?.seq ?? start) === room.head.seq || Number.isNaN(start), at).toBe(
      true,
    );
  }
}

test.each(numbers(1, TESTS))(
  `in ${SCHEDULES_PER_TEST} schedules, every reader receives what the model says, and none is silent (%i)`,
  async (part) => {
    fakeTimers();
    for (let count = 1; count <= SCHEDULES_PER_TEST; count += 1)
      await runSchedule((part - 1) * SCHEDULES_PER_TEST + count, (ms) => vi.advanceTimersByTimeAsync(ms));
  },
  60_000,
);
