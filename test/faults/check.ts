/** A message, by its place in the room and by the name that its sender gave it (joins have none). */
export interface Placed {
  readonly seq: number;
  readonly clientMessageId: string | null;
}

/** What one screen showed, in the order in which it came. */
export interface ScreenLog {
  /** It was to see everything after this `seq`. */
  readonly after: number;
  /** And up to this one, after which it left; all that there is, unless it is given. */
  readonly upTo?: number;
  readonly seen: readonly Placed[];
}

export interface Verdict {
  /** Messages that a sender was told are stored, or that a screen showed, and that the database does not hold there. */
  readonly lost: number;
  /** Deliveries of what the same screen had seen already, and rows of one message stored twice. */
  readonly duplicated: number;
  /** Deliveries that came after a later message. */
  readonly outOfOrder: number;
  /** Messages of the database that a screen never showed. */
  readonly unseen: number;
}

/**
 * Compares what senders were told and what screens showed with the database: all counts 0 means that every message is on
 * every screen once and in order.
 *
 * @param rows all messages of the room.
 * @throws Error where the rows are not numbered 1, 2, 3 …: then nothing else can be told.
 */
export function check(
  rows: readonly Placed[],
  acked: readonly Placed[],
  screens: readonly ScreenLog[],
): Verdict {
  const stored = new Map(rows.map(({ seq, clientMessageId }) => [seq, clientMessageId]));
  for (let seq = 1; seq <= rows.length; seq += 1)
    if (!stored.has(seq))
      throw new Error(`The sequence is not dense: ${rows.length} rows, and none is ${seq}.`);
  const isStored = ({ seq, clientMessageId }: Placed) => stored.get(seq) === clientMessageId;

  const named = rows.flatMap(({ clientMessageId }) => clientMessageId ?? []);
  const judged = screens.map((screen) => judge(screen, rows.length, isStored));
  const sum = (count: keyof Verdict) => judged.reduce((total, one) => total + one[count], 0);
  return {
    lost: acked.filter((message) => !isStored(message)).length + sum('lost'),
    duplicated: named.length - new Set(named).size + sum('duplicated'),
    outOfOrder: sum('outOfOrder'),
    unseen: sum('unseen'),
  };
}

function judge(
  { after, seen, upTo = Number.POSITIVE_INFINITY }: ScreenLog,
  last: number,
  isStored: (message: Placed) => boolean,
): Record<keyof Verdict, number> {
  const counts = { lost: 0, duplicated: 0, outOfOrder: 0, unseen: 0 };
  const shown = new Set<number>();
  let latest = after;
  for (const message of seen) {
    const { seq } = message;
    if (!isStored(message)) counts.lost += 1;
    // What lies before its beginning, the page before the subscription has shown.
    else if (shown.has(seq) || seq <= after) counts.duplicated += 1;
    else if (seq < latest) counts.outOfOrder += 1;
    if (isStored(message)) shown.add(seq);
    latest = Math.max(latest, seq);
  }
  for (let seq = after + 1; seq <= Math.min(last, upTo); seq += 1) if (!shown.has(seq)) counts.unseen += 1;
  return counts;
}

/** The nearest-rank percentile (0 to 100) of the values; null of none. */
export function percentile(values: readonly number[], percent: number): number | null {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil((percent / 100) * sorted.length) - 1)] ?? null;
}
