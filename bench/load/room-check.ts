/** The fields of a delivered message that the bench checks. */
export interface Delivery {
  readonly id: string;
  readonly seq: number;
  readonly text: string;
}

/** One subscription, and how far it has received its room. */
export interface Subscriber {
  /** The bytes of its operation id, which each of its frames contains; empty if the protocol has no such id. */
  readonly id: Buffer;
  /** The last `seq` received; null before the first. */
  seq: number | null;
}

/** A message as the first subscriber received it, without the operation id. */
interface Message {
  readonly seq: number;
  readonly before: Buffer;
  readonly after: Buffer;
  /** When the message was sent, as recorded in its text. */
  readonly sentAt: number;
  /** The number of subscribers that have not received it yet. */
  remaining: number;
}

export interface RoomCheckOptions {
  readonly subscribers: number;
  /** Parses a frame's text; null if it is not a delivery. */
  readonly parse: (text: string) => Delivery | null;
  /** Called when every subscriber has received a message. */
  readonly onDeliveredToAll: (sentAt: number) => void;
  /** Called for a wrong id, a wrong `seq` or different content. */
  readonly onFault: (fault: string) => void;
}

/** When a message was sent, as a time of `performance.now()`; NaN if the bench did not send it. */
export function sentAtOf(text: string): number {
  return Number(/^bench ([\d.]+) /.exec(text)?.[1] ?? Number.NaN);
}

/** The text of a message sent at this time. All texts have the same size. */
export function textOf(sentAt: number): string {
  return `bench ${sentAt.toFixed(3).padStart(14, '0')} ${'the quick brown fox jumps over the lazy dog '.repeat(2)}`;
}

/**
 * Checks every frame of one room. The first frame of a message is parsed; all others must have the same bytes around their own
 * operation id. Each subscriber must receive the messages in `seq` order, without gaps or duplicates. Most deliveries cost only
 * a comparison of bytes, so that the client does not limit the measurement.
 */
export function createRoomCheck({ subscribers, parse, onDeliveredToAll, onFault }: RoomCheckOptions) {
  const messages = new Map<number, Message>();
  /** Message ids as acknowledged to the sender or as delivered, whichever came first. */
  const ids = new Map<number, string>();

  function confirmId(seq: number, id: string): void {
    const known = ids.get(seq);
    if (known === undefined) ids.set(seq, id);
    else {
      if (known !== id) onFault(`message ${seq} has the id ${known} on one side and ${id} on the other`);
      ids.delete(seq);
    }
  }

  function count(subscriber: Subscriber, message: Message): number {
    subscriber.seq = message.seq;
    message.remaining -= 1;
    if (message.remaining === 0) {
      messages.delete(message.seq);
      onDeliveredToAll(message.sentAt);
    }
    return message.sentAt;
  }

  return {
    /** Checks a frame. @returns when its message was sent, or null if the frame is not a delivery. */
    take(subscriber: Subscriber, bytes: Buffer, from: number, to: number): number | null {
      const expected = subscriber.seq === null ? undefined : messages.get(subscriber.seq + 1);
      if (expected && isSame(expected, subscriber, bytes, from, to)) return count(subscriber, expected);

      const delivery = parse(bytes.toString('utf8', from, to));
      if (delivery === null) return null;
      const { seq, id, text } = delivery;
      if (subscriber.seq !== null && seq !== subscriber.seq + 1)
        onFault(`message ${seq} came after ${subscriber.seq}`);
      const known = messages.get(seq);
      if (known) {
        if (!isSame(known, subscriber, bytes, from, to))
          onFault(
            `message ${seq} differs between subscribers: ${difference(frameOf(known, subscriber), bytes.toString('utf8', from, to))}`,
          );
        return count(subscriber, known);
      }
      const idAt = bytes.indexOf(subscriber.id, from);
      if (idAt < from || idAt + subscriber.id.length > to) {
        onFault(`message ${seq} came without the id of its operation`);
        return null;
      }
      const message: Message = {
        seq,
        before: Buffer.from(bytes.subarray(from, idAt)),
        after: Buffer.from(bytes.subarray(idAt + subscriber.id.length, to)),
        sentAt: sentAtOf(text),
        remaining: subscribers,
      };
      messages.set(seq, message);
      confirmId(seq, id);
      return count(subscriber, message);
    },

    /** Records the id that the sender got for its message. */
    acknowledge: confirmId,

    /** Forgets all messages, including those that not all subscribers received. */
    forget(): void {
      messages.clear();
      ids.clear();
    },

    /** The number of messages that not all subscribers have received yet. */
    get inFlight() {
      return messages.size;
    },
  };
}

export type RoomCheck = ReturnType<typeof createRoomCheck>;

function isSame(
  { before, after }: Message,
  { id }: Subscriber,
  bytes: Buffer,
  from: number,
  to: number,
): boolean {
  const idAt = from + before.length;
  const afterAt = idAt + id.length;
  return (
    afterAt + after.length === to &&
    matchesAt(before, bytes, from) &&
    matchesAt(id, bytes, idAt) &&
    after.compare(bytes, afterAt, to) === 0
  );
}

/** For a few bytes, this loop is faster than a native comparison. */
function matchesAt(expected: Buffer, bytes: Buffer, at: number): boolean {
  for (let index = 0; index < expected.length; index++)
    if (expected[index] !== bytes[at + index]) return false;
  return true;
}

/** The frame that a subscriber should have received. */
function frameOf({ before, after }: Message, { id }: Subscriber): string {
  return Buffer.concat([before, id, after]).toString();
}

const CONTEXT_CHARS = 30;

/** Shows two texts, each shortened to the surroundings of their first difference. */
export function difference(expected: string, actual: string): string {
  let at = 0;
  while (at < expected.length && expected[at] === actual[at]) at += 1;
  const around = (text: string): string => {
    const [from, to] = [Math.max(0, at - CONTEXT_CHARS), at + CONTEXT_CHARS];
    return `${from > 0 ? '…' : ''}${text.slice(from, to)}${to < text.length ? '…' : ''}`;
  };
  return `${around(actual)} instead of ${around(expected)}`;
}
