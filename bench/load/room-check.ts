/** What a delivery says, as far as the bench knows it. */
export interface Delivered {
  readonly id: string;
  readonly seq: number;
  readonly text: string;
}

/** One subscription: what it has of its room so far. */
export interface Reader {
  /** The bytes of its operation's id, which stand in each of its frames; empty where the protocol has none. */
  readonly id: Buffer;
  /** The `seq` that came last; null before the first. */
  seq: number | null;
}

/** The message as it came to the first reader, without that one's operation id. */
interface Message {
  readonly seq: number;
  readonly before: Buffer;
  readonly after: Buffer;
  /** When it was sent, as its text says. */
  readonly sentAt: number;
  /** How many readers still wait for it. */
  missing: number;
}

export interface RoomCheckOptions {
  readonly readers: number;
  /** Reads a frame's text; null where it delivers nothing. */
  readonly parse: (text: string) => Delivered | null;
  /** Every reader has it. */
  readonly onEverywhere: (sentAt: number) => void;
  /** What must not be: an id, a `seq` or content that is not as it should. */
  readonly onFault: (fault: string) => void;
}

/** When a message was sent, on the clock of `performance.now()`; NaN where the bench did not send it. */
export function sentAtOf(text: string): number {
  return Number(/^bench ([\d.]+) /.exec(text)?.[1] ?? Number.NaN);
}

/** A message's text, always of the same size. */
export function textOf(sentAt: number): string {
  return `bench ${sentAt.toFixed(3).padStart(14, '0')} ${'the quick brown fox jumps over the lazy dog '.repeat(2)}`;
}

/**
 * Holds every frame to what its room is: the first frame of a message is parsed and checked, and all others must have the
 * same bytes around their own operation id, each reader's in the order of `seq`, without a gap or a repeat. Comparing is all
 * that a delivery costs, so that the client is not what is measured.
 */
export function createRoomCheck({ readers, parse, onEverywhere, onFault }: RoomCheckOptions) {
  const messages = new Map<number, Message>();
  /** Ids that a sender was told, or a reader has seen, whichever came first. */
  const ids = new Map<number, string>();

  function confirmId(seq: number, id: string): void {
    const known = ids.get(seq);
    if (known === undefined) ids.set(seq, id);
    else {
      if (known !== id) onFault(`message ${seq} is ${known} for one and ${id} for the other`);
      ids.delete(seq);
    }
  }

  function count(reader: Reader, message: Message): number {
    reader.seq = message.seq;
    message.missing -= 1;
    if (message.missing === 0) {
      messages.delete(message.seq);
      onEverywhere(message.sentAt);
    }
    return message.sentAt;
  }

  return {
    /** Takes a frame. @returns when its message was sent, or null where it delivers none. */
    take(reader: Reader, bytes: Buffer, from: number, to: number): number | null {
      const expected = reader.seq === null ? undefined : messages.get(reader.seq + 1);
      if (expected && isSame(expected, reader, bytes, from, to)) return count(reader, expected);

      const delivered = parse(bytes.toString('utf8', from, to));
      if (delivered === null) return null;
      const { seq, id, text } = delivered;
      if (reader.seq !== null && seq !== reader.seq + 1) onFault(`message ${seq} came after ${reader.seq}`);
      const known = messages.get(seq);
      if (known) {
        if (!isSame(known, reader, bytes, from, to))
          onFault(
            `message ${seq} is not the same for all: ${difference(frameOf(known, reader), bytes.toString('utf8', from, to))}`,
          );
        return count(reader, known);
      }
      const idAt = bytes.indexOf(reader.id, from);
      if (idAt < from || idAt + reader.id.length > to) {
        onFault(`message ${seq} came without the id of its operation`);
        return null;
      }
      const message: Message = {
        seq,
        before: Buffer.from(bytes.subarray(from, idAt)),
        after: Buffer.from(bytes.subarray(idAt + reader.id.length, to)),
        sentAt: sentAtOf(text),
        missing: readers,
      };
      messages.set(seq, message);
      confirmId(seq, id);
      return count(reader, message);
    },

    /** What the sender was told of its message. */
    acknowledge: confirmId,

    /** Forgets messages that not everybody was there for. */
    forget(): void {
      messages.clear();
      ids.clear();
    },

    /** Messages that somebody still waits for. */
    get underWay() {
      return messages.size;
    },
  };
}

export type RoomCheck = ReturnType<typeof createRoomCheck>;

function isSame(
  { before, after }: Message,
  { id }: Reader,
  bytes: Buffer,
  from: number,
  to: number,
): boolean {
  const idAt = from + before.length;
  const afterAt = idAt + id.length;
  return (
    afterAt + after.length === to &&
    standsAt(before, bytes, from) &&
    standsAt(id, bytes, idAt) &&
    after.compare(bytes, afterAt, to) === 0
  );
}

/** For a few bytes: leaving JavaScript would cost more than the loop. */
function standsAt(expected: Buffer, bytes: Buffer, at: number): boolean {
  for (let index = 0; index < expected.length; index++)
    if (expected[index] !== bytes[at + index]) return false;
  return true;
}

/** What a reader should have got. */
function frameOf({ before, after }: Message, { id }: Reader): string {
  return Buffer.concat([before, id, after]).toString();
}

const CONTEXT = 30;

/** Two texts, each shortened to what is around their first difference. */
export function difference(expected: string, actual: string): string {
  let at = 0;
  while (at < expected.length && expected[at] === actual[at]) at += 1;
  const around = (text: string): string => {
    const [from, to] = [Math.max(0, at - CONTEXT), at + CONTEXT];
    return `${from > 0 ? '…' : ''}${text.slice(from, to)}${to < text.length ? '…' : ''}`;
  };
  return `${around(actual)} instead of ${around(expected)}`;
}
