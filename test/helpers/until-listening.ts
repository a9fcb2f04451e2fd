import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

const START_TIMEOUT_MS = 10_000;
const RETRY_INTERVAL_MS = 20;

/** Resolves when a server accepts connections on a port of this machine. */
export async function untilListening(port: number): Promise<void> {
  const end = performance.now() + START_TIMEOUT_MS;
  while (!(await isListening(port))) {
    if (performance.now() > end) throw new Error(`Nothing listens on port ${port}.`);
    await sleep(RETRY_INTERVAL_MS);
  }
}

function isListening(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1')
      .once('connect', () => resolve(true))
      .once('error', () => resolve(false))
      .once('connect', () => socket.destroy());
  });
}
