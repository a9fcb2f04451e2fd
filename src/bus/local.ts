import type { Bus } from '../domain/bus.js';
import type { Log } from '../domain/ports.js';
import { createCounters } from './counters.js';
import { type BusTarget, createPubSub } from './pub-sub.js';

/** Creates the bus of a single process, on the platform's event target. It loses nothing, so it never reports a recovery. */
export function createLocalBus(log: Log): Bus {
  // The cast narrows the listener's type from Event: only `publish` dispatches on this target, and only CustomEvents.
  const { publish, listen } = createPubSub(new EventTarget() as BusTarget, (roomId) => roomId, log);
  return {
    publish,
    subscribe: (roomId, listener) => ({
      confirmed: Promise.resolve(),
      unsubscribe: listen(roomId, listener),
    }),
    onRecovered: () => {},
    isReady: () => true,
    counters: createCounters(),
    close: async () => {},
  };
}
