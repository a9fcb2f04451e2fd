import type { Bus } from '../domain/bus.js';
import type { Log } from '../domain/ports.js';
import { createCounters } from './counters.js';
import { type BusTarget, overEventTarget } from './event-target-bus.js';

/** The bus of a single process: the platform's event target. Nothing is ever lost on it, so it never recovers. */
export function createLocalBus(log: Log): Bus {
  // The platform's listener type is for any Event; on this target only we dispatch, and only CustomEvents.
  const { publish, listen } = overEventTarget(new EventTarget() as BusTarget, (roomId) => roomId, log);
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
