import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { createHistogram } from '../statistics.js';
import { type Connection, openConnection } from './connection.js';
import { PROTOCOLS, type ProtocolName, type SubscribeRequest } from './protocols.js';
import { createRoomCheck, type RoomCheck, type Subscriber, textOf } from './room-check.js';
import { openSender } from './sender.js';

export interface CrowdOptions {
  /** The ports of the server's instances, which the subscribers use in turn. */
  readonly ports: readonly number[];
  readonly protocol: ProtocolName;
  /** Access tokens of members of all rooms; the subscriptions use them in turn. */
  readonly tokens: readonly string[];
  /** Global ids of the rooms. */
  readonly rooms: readonly string[];
  readonly subscribersPerRoom: number;
  /** The instance that messages are sent through, and the access token of the sender. */
  readonly sender: { readonly port: number; readonly token: string };
  /** The maximum number of messages that wait for their acknowledgement. */
  readonly concurrency: number;
}

/** Rooms full of subscribers, each with its own socket, and a sender that writes to them. */
export interface Crowd {
  /** Deliveries since `openCrowd` has resolved. */
  readonly deliveries: number;
  /** Returns and clears the faults since the last call. */
  takeFaults(): readonly string[];
  /** The latency of each delivery from sending to arrival, in ms. */
  readonly latency: ReturnType<typeof createHistogram>;
  /** Sends a message to the room at this index. */
  send(room: number): void;
  /** Called each time all subscribers of the room at this index have received a message. */
  onDeliveredToAll: (room: number) => void;
  /**
   * Resolves to true when every subscriber has received every message. Resolves to false after the timeout, and records the
   * missing deliveries as faults: late if the server is still delivering, otherwise lost.
   */
  settle(timeoutMs: number): Promise<boolean>;
  close(): void;
}

interface Room {
  readonly id: string;
  readonly subscribers: Subscriber[];
  readonly check: RoomCheck;
  /** The number of messages sent and stored, and the `seq` of the last one stored. */
  sent: number;
  stored: number;
  seq: number;
}

/** The number of sockets that are opened concurrently. */
const OPEN_CONCURRENCY = 50;
const MAX_FAULTS = 10;
/** How long all subscriptions may take to become live. */
const LIVE_TIMEOUT_MS = 60_000;
/** How often a message is sent to find out whether they are. */
const PROBE_INTERVAL_MS = 1000;
const POLL_INTERVAL_MS = 5;
/** A server that has delivered nothing for this long is considered to deliver no more. */
const SILENCE_TIMEOUT_MS = 3000;

/**
 * Opens all subscriptions, and resolves when each one is known to be live. The protocol does not acknowledge a Subscribe, so
 * messages are sent until all subscribers have received the same one. From then on deliveries must be complete.
 */
export async function openCrowd(options: CrowdOptions): Promise<Crowd> {
  const protocol = PROTOCOLS[options.protocol];
  const latency = createHistogram();
  const faults: string[] = [];
  const connections: Connection[] = [];
  let deliveries = 0;

  const onFault = (fault: string): void => {
    if (faults.length < MAX_FAULTS) faults.push(fault);
  };

  const rooms = options.rooms.map(
    (id, index): Room => ({
      id,
      subscribers: [],
      check: createRoomCheck({
        subscribers: options.subscribersPerRoom,
        parse: protocol.parse,
        onDeliveredToAll: () => crowd.onDeliveredToAll(index),
        onFault: (fault) => onFault(`Room ${index + 1}: ${fault}`),
      }),
      sent: 0,
      stored: 0,
      seq: 0,
    }),
  );

  async function subscribe(
    { id: roomId, subscribers, check }: Room,
    token: string,
    port: number,
  ): Promise<void> {
    const request: SubscribeRequest = { id: randomUUID(), roomId, token, after: null };
    const subscriber: Subscriber = { id: Buffer.from(protocol.namesOperation ? request.id : ''), seq: null };
    const connection = await openConnection({
      port,
      path: protocol.path,
      subprotocol: protocol.subprotocol,
      onText(bytes, from, to, { send }) {
        const sentAt = check.take(subscriber, bytes, from, to);
        if (sentAt !== null) {
          deliveries += 1;
          latency.add(performance.now() - sentAt);
          return;
        }
        try {
          const reply = protocol.reply(bytes.toString('utf8', from, to), request);
          if (reply !== null) send(reply);
        } catch (error) {
          onFault(String(error));
        }
      },
      onEnd: (reason) => onFault(`A subscriber's socket: ${reason}`),
    });
    connections.push(connection);
    subscribers.push(subscriber);
    const hello = protocol.hello(request);
    if (hello !== null) connection.send(hello);
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
    onDeliveredToAll: () => {},
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
      let lastProgressAt = performance.now();
      while (rooms.some((room) => !isSettled(room))) {
        const now = performance.now();
        if (deliveries !== before) lastProgressAt = now;
        before = deliveries;
        if (now > end) {
          for (const room of rooms)
            if (!isSettled(room)) onFault(describeMissing(room, now - lastProgressAt < SILENCE_TIMEOUT_MS));
          return false;
        }
        await sleep(POLL_INTERVAL_MS);
      }
      return true;
    },
    close() {
      sender.close();
      for (const connection of connections) connection.destroy();
    },
  };

  const pending = rooms.flatMap((room) => Array.from({ length: options.subscribersPerRoom }, () => room));
  let next = 0;
  await Promise.all(
    Array.from({ length: OPEN_CONCURRENCY }, async () => {
      for (let room = pending[next]; room; room = pending[next]) {
        const token = options.tokens[next % options.tokens.length] ?? '';
        const port = options.ports[next % options.ports.length] ?? 0;
        next += 1;
        await subscribe(room, token, port);
      }
    }),
  );

  const start = performance.now();
  while (rooms.some((room) => !isSettled(room))) {
    const waited = performance.now() - start;
    if (waited > LIVE_TIMEOUT_MS)
      throw new Error(`Not all subscriptions became live: ${[...faults, describeSilent(rooms)].join('; ')}`);
    // Only to rooms with a subscriber that has received nothing yet: more messages would slow down a server that is behind.
    rooms.forEach((room, index) => {
      if (room.seq === 0 || room.subscribers.some(({ seq }) => seq === null)) crowd.send(index);
    });
    const end = performance.now() + PROBE_INTERVAL_MS;
    while (performance.now() < end && rooms.some((room) => !isSettled(room))) await sleep(POLL_INTERVAL_MS);
  }
  for (const { check } of rooms) check.forget();
  deliveries = 0;
  latency.reset();
  return crowd;
}

/** Whether all subscribers have received the last message; false before the first one. */
function isSettled({ subscribers, sent, stored, seq }: Room): boolean {
  return seq > 0 && sent === stored && subscribers.every((subscriber) => subscriber.seq === seq);
}

function describeSilent(rooms: readonly Room[]): string {
  const subscribers = rooms.flatMap((room) => room.subscribers);
  const silent = subscribers.filter(({ seq }) => seq === null).length;
  return `${silent} of ${subscribers.length} subscribers have received nothing`;
}

/** Describes the fault of a room that is not settled, depending on whether its server is still delivering. */
export function describeMissing(
  { subscribers, sent, stored, seq }: Pick<Room, 'subscribers' | 'sent' | 'stored' | 'seq'>,
  isDelivering: boolean,
): string {
  if (sent > stored) return `of ${sent} messages only ${stored} were acknowledged`;
  const behind = subscribers.filter((subscriber) => subscriber.seq !== seq).length;
  return isDelivering
    ? `late, so not sustained: ${behind} of ${subscribers.length} subscribers have not received message ${seq} yet, and the server is still delivering`
    : `lost: ${behind} of ${subscribers.length} subscribers never received message ${seq}`;
}
