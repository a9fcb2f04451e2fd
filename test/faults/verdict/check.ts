/** Identifies a message by its place in the room and by its sender's `clientMessageId` (null for joins). */
export interface MessageRef {
  readonly seq: number;
  readonly clientMessageId: string | null;
}

/** The deliveries to one subscriber, in the order of arrival. */
export interface DeliveryLog {
  /** The subscriber must receive everything after this `seq`. */
  readonly after: number;
  /** The last `seq` it must receive, because it left after it. By default, the last message of the room. */
  readonly upTo?: number;
  readonly seen: readonly MessageRef[];
}

export interface Verdict {
  /** Messages that were acknowledged or delivered, but are not in the database at that `seq`. */
  readonly lost: number;
  /** Deliveries that the same subscriber had received before, and messages that are stored twice. */
  readonly duplicated: number;
  /** Deliveries that arrived after a later message. */
  readonly outOfOrder: number;
  /** Messages in the database that a subscriber never received. */
  readonly unseen: number;
}

/**
 * Compares acknowledgements and deliveries with the database. If all counts are 0, every subscriber received every message
 * once and in order.
 *
 * @param rows all messages of the room.
 * @throws Error if the rows are not numbered 1, 2, 3 …: then nothing else can be compared.
 */
export function check(
  rows: readonly MessageRef[],
  acked: readonly MessageRef[],
  subscribers: readonly DeliveryLog[],
): Verdict {
  const stored = new Map(rows.map(({ seq, clientMessageId }) => [seq, clientMessageId]));
  for (let seq = 1; seq <= rows.length; seq += 1)
    if (!stored.has(seq))
      throw new Error(`The sequence has a gap: ${rows.length} rows, but none has seq ${seq}.`);
  const isStored = ({ seq, clientMessageId }: MessageRef) => stored.get(seq) === clientMessageId;

  const named = rows.flatMap(({ clientMessageId }) => clientMessageId ?? []);
  const verdicts = subscribers.map((log) => checkLog(log, rows.length, isStored));
  const sum = (count: keyof Verdict) => verdicts.reduce((total, one) => total + one[count], 0);
  return {
    lost: acked.filter((message) => !isStored(message)).length + sum('lost'),
    duplicated: named.length - new Set(named).size + sum('duplicated'),
    outOfOrder: sum('outOfOrder'),
    unseen: sum('unseen'),
  };
}

function checkLog(
  { after, seen, upTo = Number.POSITIVE_INFINITY }: DeliveryLog,
  last: number,
  isStored: (message: MessageRef) => boolean,
): Record<keyof Verdict, number> {
  const counts = { lost: 0, duplicated: 0, outOfOrder: 0, unseen: 0 };
  const received = new Set<number>();
  let latest = after;
  for (const message of seen) {
    const { seq } = message;
    if (!isStored(message)) counts.lost += 1;
    // Messages before the start of the subscription were on the page before it.
    else if (received.has(seq) || seq <= after) counts.duplicated += 1;
    else if (seq < latest) counts.outOfOrder += 1;
    if (isStored(message)) received.add(seq);
    latest = Math.max(latest, seq);
  }
  for (let seq = after + 1; seq <= Math.min(last, upTo); seq += 1) if (!received.has(seq)) counts.unseen += 1;
  return counts;
}

/** The nearest-rank percentile (0 to 100) of the values; null if there are none. */
export function percentile(values: readonly number[], percent: number): number | null {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil((percent / 100) * sorted.length) - 1)] ?? null;
}
