/** Values that go up and down. */
export const LEVELS = {
  webSockets: { name: 'parley_websockets', help: 'Open WebSockets.' },
  operations: { name: 'parley_operations_in_progress', help: 'Queries and mutations in progress.' },
  subscriptions: {
    name: 'parley_subscriptions',
    help: 'Open subscriptions, over WebSocket and server-sent events.',
  },
  rooms: { name: 'parley_watched_rooms', help: 'Rooms with subscribers on this instance.' },
  sharedGroups: {
    name: 'parley_shared_groups',
    help: 'Groups of subscriptions whose events are executed once for all.',
  },
  viewerGroups: {
    name: 'parley_viewer_groups',
    help: 'Groups of subscriptions of one viewer each: they select a field that depends on the viewer.',
  },
  ringBytes: {
    name: 'parley_ring_bytes',
    help: 'Recent messages in memory, from which readers who come back are served.',
  },
  heldBytes: { name: 'parley_held_bytes', help: 'Pages of replays that readers go through.' },
  unsentBytes: { name: 'parley_unsent_bytes', help: 'Data that slow clients have not read yet.' },
  pendingMessages: { name: 'parley_pending_messages', help: 'Messages that wait to be stored.' },
  waitingHashes: { name: 'parley_waiting_hashes', help: 'Logins and sign-ups that wait to be hashed.' },
  databaseCalls: { name: 'parley_database_calls', help: 'Calls of the database in progress.' },
  waitingDatabaseCalls: {
    name: 'parley_waiting_database_calls',
    help: 'Calls that wait for a connection to the database.',
  },
  busReady: { name: 'parley_bus_ready', help: '1 if events reach the other instances, otherwise 0.' },
} as const satisfies Record<string, { readonly name: string; readonly help: string }>;
export type Level = keyof typeof LEVELS;

/** Counts that parts of the server keep themselves, each with a label. */
export const TOTALS = {
  busIncidents: {
    name: 'parley_bus_incidents_total',
    help: 'Failures that the bus has recovered from, as in /ready.',
    label: 'incident',
  },
  catchUps: {
    name: 'parley_catch_ups_total',
    help: 'Reads of events that were not delivered live: replays of one subscription, repairs and recalls of one room.',
    label: 'kind',
  },
} as const satisfies Record<string, { readonly name: string; readonly help: string; readonly label: string }>;
export type Total = keyof typeof TOTALS;
