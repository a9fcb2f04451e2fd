/** How long opening a connection may take, in ms, from the socket to the server's acknowledgement. */
export const CONNECT_TIMEOUT_MS = 10_000;
/** How often the server is pinged, in ms. */
export const PING_INTERVAL_MS = 12_000;
/** How long the server may send nothing after a ping, in ms. */
export const PONG_TIMEOUT_MS = 5000;
/** How long the socket stays open after its last operation, in ms. */
export const IDLE_TIMEOUT_MS = 3000;
/** A connection that lives shorter counts as a failed attempt, so that the pauses go on growing, in ms. */
export const STABLE_MS = 5000;
