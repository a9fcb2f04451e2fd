import type { Sent } from './load.js';
import type { Screen, Seen } from './watch.js';

/**
 * How long a screen was behind: from the moment until it showed the first message, by its place in the room, whose sending
 * began after it, in ms. Null where there was none, or it never showed it.
 */
export function recoveryOf(seen: readonly Seen[], sent: readonly Sent[], moment: number): number | null {
  let first = Number.POSITIVE_INFINITY;
  for (const { sentAt, acked } of sent) if (acked && sentAt >= moment) first = Math.min(first, acked.seq);
  const arrival = seen.find(({ seq }) => seq === first);
  return arrival ? arrival.at - moment : null;
}

/** The longest that a message came to some screen after its sender was told that it is stored, in ms. */
export function worstLateness(screens: readonly Screen[], sent: readonly Sent[]): number {
  const ackedAt = new Map(sent.flatMap(({ acked }) => (acked ? [[acked.seq, acked.at] as const] : [])));
  let worst = 0;
  for (const { seen } of screens)
    for (const { seq, at } of seen) worst = Math.max(worst, at - (ackedAt.get(seq) ?? at));
  return worst;
}
