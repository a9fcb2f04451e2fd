/** How many messages' revisions are kept: only recent changes can come twice. */
const MAX_REVISIONS = 1000;

/** Recognises events that a subscription has delivered before. */
export interface Deduplicator {
  /**
   * Whether an event is new. Messages are added in `seq` order, so an added message is new if its `seq` is the highest
   * yet. A change is new if the `revision` is the highest yet of its message.
   */
  isNew(isChange: boolean, seq: number, revision: number): boolean;
  /** Forgets everything: after a gap in the history, `seq` and `revision` may be lower than before. */
  reset(): void;
}

export function createDeduplicator(): Deduplicator {
  let lastSeq = 0;
  const revisions = new Map<number, number>();
  return {
    isNew(isChange, seq, revision) {
      if (isChange ? revision <= (revisions.get(seq) ?? 0) : seq <= lastSeq) return false;
      if (!isChange) lastSeq = seq;
      // Revision 1 is the message as it was sent, which no change can repeat.
      if (revision > 1) {
        // Deleted first, so that the map's order is that of the latest changes.
        revisions.delete(seq);
        revisions.set(seq, revision);
        const [oldest] = revisions.keys();
        if (revisions.size > MAX_REVISIONS && oldest !== undefined) revisions.delete(oldest);
      }
      return true;
    },
    reset() {
      lastSeq = 0;
      revisions.clear();
    },
  };
}
