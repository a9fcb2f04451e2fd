import type { Bus } from '../domain/bus.js';
import type { DeliveryCounters } from '../domain/counters.js';
import type { Admission } from '../graphql/limits/admission.js';
import type { Sources } from './metrics.js';

/** The parts of a server that know something about its load. */
export interface ObservedParts {
  readonly webSockets: {
    readonly size: number;
    readonly groups: { readonly shared: number; readonly ofViewers: number };
  };
  readonly admission: Pick<Admission, 'operations' | 'subscriptions'>;
  readonly feeds: { readonly size: number; readonly ringBytes: number };
  readonly shares: { readonly budget: { unsentBytes(): number } };
  readonly services: {
    readonly messages: { readonly pending: number };
    readonly subscriptions: { readonly heldBytes: number };
  };
  readonly passwords: { readonly waiting: number };
  readonly database: { readonly load: { readonly running: number; readonly waiting: number } };
  readonly bus: Bus;
  readonly counters: DeliveryCounters;
}

export function sourcesOf(parts: ObservedParts): Sources {
  const { webSockets, admission, feeds, shares, services, passwords, database, bus, counters } = parts;
  return {
    levels: {
      webSockets: () => webSockets.size,
      operations: () => admission.operations.size,
      subscriptions: () => admission.subscriptions.size,
      rooms: () => feeds.size,
      sharedGroups: () => webSockets.groups.shared,
      viewerGroups: () => webSockets.groups.ofViewers,
      ringBytes: () => feeds.ringBytes,
      heldBytes: () => services.subscriptions.heldBytes,
      unsentBytes: () => shares.budget.unsentBytes(),
      pendingMessages: () => services.messages.pending,
      waitingHashes: () => passwords.waiting,
      databaseCalls: () => database.load.running,
      waitingDatabaseCalls: () => database.load.waiting,
      busReady: () => Number(bus.isReady()),
    },
    totals: {
      busIncidents: () => ({ ...bus.counters }),
      catchUps: () => ({ ...counters }),
    },
  };
}
