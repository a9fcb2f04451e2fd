import { WebSocket } from 'ws';
import { supply } from './environment.js';

/* Prepares the process that a recipe runs in. */

const [roomId = '', after = '', tokenUrl = '', speed] = process.argv.slice(2);
supply({
  roomId,
  after,
  tokenUrl,
  speed: Number(speed),
  // The package implements the browser's interface, of which TypeScript sees more than is used here.
  WebSocket: WebSocket as unknown as typeof globalThis.WebSocket,
  report: (report) => process.send?.(report),
  show: (messages) => process.send?.({ event: 'shown', texts: messages.map(({ text }) => text) }),
});

/** What a recipe exports is of no use without a person. */
export function connect(): void {}
