import type { Sent } from './load.js';
import type { Screen, Seen } from './watch.js';

/**
 * How long a screen was behind after each of these moments (ascending), in ms: the longest wait for a message that was under
 * way at the moment or sent later, up to the next moment. The wait is from the moment, or from the first attempt to send
 * where that is later, until the screen showed it; so the time counts in which nobody could send, and one message that comes
 * soon hides none that comes late. No value for a moment after which nothing was sent and shown.
 */
export function recoveriesOf(
  seen: readonly Seen[],
  sent: readonly Sent[],
  moments: readonly number[],
): readonly number[] {
  const shownAt = new Map(seen.map(({ seq, at }) => [seq, at]));
  const arrivals = sent.flatMap(({ sentAt, acked }) => {
    const at = acked ? shownAt.get(acked.seq) : undefined;
    return at === undefined ? [] : [{ sentAt, at }];
  });
  return moments.flatMap((moment, index) => {
    const next = moments[index + 1] ?? Number.POSITIVE_INFINITY;
    const waits = arrivals.flatMap(({ sentAt, at }) =>
      at >= moment && sentAt < next ? [at - Math.max(sentAt, moment)] : [],
    );
    return waits.length > 0 ? [waits.reduce((longest, wait) => Math.max(longest, wait), 0)] : [];
  });
}

/** The longest that a message came to some screen after its sender was told that it is stored, in ms. */
export function worstLateness(screens: readonly Screen[], sent: readonly Sent[]): number {
  const ackedAt = new Map(sent.flatMap(({ acked }) => (acked ? [[acked.seq, acked.at] as const] : [])));
  let worst = 0;
  for (const { seen } of screens)
    for (const { seq, at } of seen) worst = Math.max(worst, at - (ackedAt.get(seq) ?? at));
  return worst;
}
