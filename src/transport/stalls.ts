import type { Duplex } from 'node:stream';

/** How long a connection may take nothing of what waits for it before it is given up, in ms. */
export const STALL_TIMEOUT_MS = 10_000;

/**
 * Tells connections whose clients read nothing from those that are only slow.
 *
 * @returns for how long the connection has had unsent bytes without one of them leaving, in ms. To be asked again and
 *   again, about once a second: it compares with what it saw before.
 */
export function createStallClock(): (connection: Duplex) => number {
  // Weak, so that nothing of a connection outlives it.
  const seen = new WeakMap<Duplex, { readonly unsent: number; readonly since: number }>();
  return (connection) => {
    const unsent = unsentBytes(connection);
    if (unsent === 0) {
      seen.delete(connection);
      return 0;
    }
    const before = seen.get(connection);
    if (before?.unsent === unsent) return performance.now() - before.since;
    seen.set(connection, { unsent, since: performance.now() });
    return 0;
  };
}

/**
 * The rest of the write that is under way. `writableLength` would not do: it changes when that write is over, which over
 * a slow line is long after its first byte, and also when something new is appended to what waits. Node's own time-out
 * of sockets watches the same number.
 */
function unsentBytes(connection: Duplex): number {
  // Not part of Node's types: without it we see less, but nothing breaks.
  const { _handle: handle } = connection as { _handle?: { readonly writeQueueSize?: number } | null };
  return handle?.writeQueueSize ?? connection.writableLength;
}
