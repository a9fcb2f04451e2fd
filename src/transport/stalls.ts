import type { Duplex } from 'node:stream';

/** How long a client may read nothing while data waits for it before it is disconnected, in ms. */
export const STALL_TIMEOUT_MS = 10_000;

/**
 * Distinguishes stalled clients, which read nothing, from slow ones.
 *
 * @returns a function that returns how long, in ms, none of the connection's unsent bytes has been sent. It compares with
 *   its previous call, so call it about once a second for each connection.
 */
export function createStallClock(): (connection: Duplex) => number {
  // Weak, so that connections can be garbage-collected.
  const observations = new WeakMap<Duplex, { readonly unsent: number; readonly since: number }>();
  return (connection) => {
    const unsent = unsentBytes(connection);
    if (unsent === 0) {
      observations.delete(connection);
      return 0;
    }
    const previous = observations.get(connection);
    if (previous?.unsent === unsent) return performance.now() - previous.since;
    observations.set(connection, { unsent, since: performance.now() });
    return 0;
  };
}

/**
 * The unsent bytes of the current write. `writableLength` is not suitable: it changes only when that write is complete,
 * which on a slow line is long after its first byte, and also when new data is queued. Node's own socket timeout uses the
 * same number.
 */
function unsentBytes(connection: Duplex): number {
  // `_handle` is internal to Node; without it, the result is only less precise.
  const { _handle: handle } = connection as { _handle?: { readonly writeQueueSize?: number } | null };
  return handle?.writeQueueSize ?? connection.writableLength;
}
