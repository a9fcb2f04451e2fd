import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { createHistogram } from '../statistics.js';
import { type Line, openLine } from './line.js';
import { PROTOCOLS, type ProtocolName, type Wish } from './protocols.js';
import { createRoomCheck, type Reader, type RoomCheck, textOf } from './room-check.js';
import { openSender } from './sender.js';

export interface CrowdOptions {
  /** Of the server under test. */
  readonly port: number;
  readonly protocol: ProtocolName;
  /** Access tokens of members of all the rooms; subscriptions are dealt to them in turn. */
  readonly tokens: readonly string[];
  /** Global ids. */
  readonly rooms: readonly string[];
  readonly readersPerRoom: number;
  /** The instance that messages are sent through, and who sends them. */
  readonly sender: { readonly port: number; readonly token: string };
  /** The most messages that will be under way at once. */
  readonly concurrency: number;
}

/** Rooms full of subscribers, a socket each, and somebody who writes to them. */
export interface Crowd {
  /** Since the crowd stands. */
  readonly deliveries: number;
  /** What went wrong since it was last asked. */
  takeFaults(): readonly string[];
  /** From sending to arrival, in ms, of each delivery. */
  readonly latency: ReturnType<typeof createHistogram>;
  /** Sends to the so-many-th room. */
  send(room: number): void;
  /** Is called whenever all have got a message of the so-many-th room. */
  onEverywhere: (room: number) => void;
  /**
   * Resolves with true when everybody has got everything; with false when the patience is over, and what has not come is a
   * fault: late where the server still delivers, else lost.
   */
  settle(timeoutMs: number): Promise<boolean>;
  close(): void;
}

interface Room {
  readonly id: string;
  readonly readers: Reader[];
  readonly check: RoomCheck;
  /** Messages sent, and the `seq` of the last one that was stored. */
  sent: number;
  stored: number;
  seq: number;
}

/** So many sockets are opened at once. */
const OPENING = 50;
const MAX_FAULTS = 10;
/** How long subscriptions may take to stand, and how often it is asked whether they do, in ms. */
const STAND_MS = 60_000;
const PROBE_MS = 1000;
const POLL_MS = 5;
/** A server that has delivered nothing for so long, delivers no more. */
const SILENCE_MS = 3000;

/**
 * Opens all subscriptions, and resolves when each has proved that it stands: the protocol has no answer to a Subscribe, so
 * messages are sent until everybody has got the same one. What comes after that must be complete.
 */
export async function openCrowd(options: CrowdOptions): Promise<Crowd> {
  const protocol = PROTOCOLS[options.protocol];
  const latency = createHistogram();
  const faults: string[] = [];
  const lines: Line[] = [];
  let deliveries = 0;

  const onFault = (fault: string): void => {
    if (faults.length < MAX_FAULTS) faults.push(fault);
  };

  const rooms = options.rooms.map(
    (id, index): Room => ({
      id,
      readers: [],
      check: createRoomCheck({
        readers: options.readersPerRoom,
        parse: protocol.parse,
        onEverywhere: () => crowd.onEverywhere(index),
        onFault: (fault) => onFault(`Room ${index + 1}: ${fault}`),
      }),
      sent: 0,
      stored: 0,
      seq: 0,
    }),
  );

  async function subscribe({ id: roomId, readers, check }: Room, token: string): Promise<void> {
    const wish: Wish = { id: randomUUID(), roomId, token, after: null };
    const reader: Reader = { id: Buffer.from(protocol.namesOperation ? wish.id : ''), seq: null };
    const line = await openLine({
      port: options.port,
      path: protocol.path,
      subprotocol: protocol.subprotocol,
      onText(bytes, from, to, { send }) {
        const sentAt = check.take(reader, bytes, from, to);
        if (sentAt !== null) {
          deliveries += 1;
          latency.add(performance.now() - sentAt);
          return;
        }
        try {
          const answer = protocol.answer(bytes.toString('utf8', from, to), wish);
          if (answer !== null) send(answer);
        } catch (error) {
          onFault(String(error));
        }
      },
      onEnd: (reason) => onFault(`A subscriber's socket: ${reason}`),
    });
    lines.push(line);
    readers.push(reader);
    const hello = protocol.hello(wish);
    if (hello !== null) line.send(hello);
  }

  const sender = await openSender({
    ...options.sender,
    onFailure: onFault,
    concurrency: options.concurrency,
  });

  const crowd: Crowd = {
    get deliveries() {
      return deliveries;
    },
    takeFaults: () => faults.splice(0),
    latency,
    onEverywhere: () => {},
    send(index) {
      const room = rooms[index];
      if (!room) throw new RangeError(`There is no room ${index}`);
      room.sent += 1;
      sender.send(room.id, textOf(performance.now()), ({ id, seq }) => {
        room.check.acknowledge(seq, id);
        room.stored += 1;
        room.seq = Math.max(room.seq, seq);
      });
    },
    async settle(timeoutMs) {
      const end = performance.now() + timeoutMs;
      let before = deliveries;
      let movedAt = performance.now();
      while (rooms.some((room) => !isSettled(room))) {
        const now = performance.now();
        if (deliveries !== before) movedAt = now;
        before = deliveries;
        if (now > end) {
          for (const room of rooms) if (!isSettled(room)) onFault(missing(room, now - movedAt < SILENCE_MS));
          return false;
        }
        await sleep(POLL_MS);
      }
      return true;
    },
    close() {
      sender.close();
      for (const line of lines) line.destroy();
    },
  };

  const wanted = rooms.flatMap((room) => Array.from({ length: options.readersPerRoom }, () => room));
  let next = 0;
  await Promise.all(
    Array.from({ length: OPENING }, async () => {
      for (let room = wanted[next]; room; room = wanted[next]) {
        const token = options.tokens[next % options.tokens.length] ?? '';
        next += 1;
        await subscribe(room, token);
      }
    }),
  );

  const start = performance.now();
  while (rooms.some((room) => !isSettled(room))) {
    const waited = performance.now() - start;
    if (waited > STAND_MS)
      throw new Error(`Not all subscriptions stand: ${[...faults, standing(rooms)].join('; ')}`);
    // Only where somebody has got nothing yet: a server that is behind is not to be put further behind.
    rooms.forEach((room, index) => {
      if (room.seq === 0 || room.readers.some(({ seq }) => seq === null)) crowd.send(index);
    });
    const end = performance.now() + PROBE_MS;
    while (performance.now() < end && rooms.some((room) => !isSettled(room))) await sleep(POLL_MS);
  }
  for (const { check } of rooms) check.forget();
  deliveries = 0;
  latency.reset();
  return crowd;
}

/** Everybody has the last message; before the first there is none. */
function isSettled({ readers, sent, stored, seq }: Room): boolean {
  return seq > 0 && sent === stored && readers.every((reader) => reader.seq === seq);
}

function standing(rooms: readonly Room[]): string {
  const readers = rooms.flatMap((room) => room.readers);
  const silent = readers.filter(({ seq }) => seq === null).length;
  return `${silent} of ${readers.length} subscribers have got nothing`;
}

/** What is wrong with a room that is not settled, whose server still delivers or does no more. */
export function missing(
  { readers, sent, stored, seq }: Pick<Room, 'readers' | 'sent' | 'stored' | 'seq'>,
  isDelivering: boolean,
): string {
  if (sent > stored) return `of ${sent} messages only ${stored} were acknowledged`;
  const behind = readers.filter((reader) => reader.seq !== seq).length;
  return isDelivering
    ? `late, so not sustained: ${behind} of ${readers.length} subscribers still wait for message ${seq}, and are being served`
    : `lost: ${behind} of ${readers.length} subscribers never got message ${seq}`;
}
