import type { Sent } from '../clients/load.js';
import type { Seen, Subscriber } from '../clients/subscriber.js';

/**
 * The recovery time of one subscriber after each fault, in ms: the longest wait for a message that was in flight at the fault
 * or was sent after it, up to the next fault. A wait starts at the fault, or at the first attempt to send if that is later,
 * and ends at the delivery. It therefore includes the time in which nobody could send. A fault after which nothing was sent
 * and delivered has no value.
 *
 * @param moments the times of the faults, ascending.
 */
export function recoveriesOf(
  seen: readonly Seen[],
  sent: readonly Sent[],
  moments: readonly number[],
): readonly number[] {
  const receivedAt = new Map(seen.map(({ seq, at }) => [seq, at]));
  const arrivals = sent.flatMap(({ sentAt, acked }) => {
    const at = acked ? receivedAt.get(acked.seq) : undefined;
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

/** The longest time from the acknowledgement of a message to its delivery to some subscriber, in ms. */
export function maxDeliveryDelay(subscribers: readonly Subscriber[], sent: readonly Sent[]): number {
  const ackedAt = new Map(sent.flatMap(({ acked }) => (acked ? [[acked.seq, acked.at] as const] : [])));
  let max = 0;
  for (const { seen } of subscribers)
    for (const { seq, at } of seen) max = Math.max(max, at - (ackedAt.get(seq) ?? at));
  return max;
}
