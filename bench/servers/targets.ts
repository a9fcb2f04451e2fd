import type { ProtocolName } from '../load/protocols.js';

/** A server that the bench compares. */
export interface Target {
  readonly name: string;
  readonly title: string;
  /** Relative to the repository root. */
  readonly script: string;
  readonly protocol: ProtocolName;
  /** Answers 200 when the server is ready. By default, a server is ready as soon as it listens. */
  readonly readyPath?: string;
  /** A script that feeds Parley's stream to the server. It runs next to the load and is not measured. */
  readonly bridge?: string;
  /** The program that runs the script, relative to the repository root; Node by default. */
  readonly runtime?: string;
  /** Number of instances that share the subscribers; one by default. */
  readonly instances?: number;
}

export const PARLEY: Target = {
  name: 'parley',
  title: 'Parley',
  script: 'dist/bin/server.js',
  readyPath: '/ready',
  protocol: 'graphqlTransportWs',
};
export const FLOOR: Target = {
  name: 'floor',
  title: 'floor: raw ws, no GraphQL',
  script: 'bench/servers/floor.mjs',
  protocol: 'graphqlTransportWs',
};
export const PARLEY_TWICE: Target = { ...PARLEY, name: 'parley-twice', instances: 2 };
export const FLOOR_TWICE: Target = { ...FLOOR, name: 'floor-twice', instances: 2 };
/** Stores, publishes and replays messages. */
export const STORE_FLOOR: Target = {
  name: 'store-floor',
  title: 'floor: raw ws and postgres.js',
  script: 'bench/servers/store-floor.mjs',
  protocol: 'graphqlTransportWs',
};
export const YOGA: Target = {
  name: 'yoga',
  title: 'graphql-yoga + graphql-ws',
  script: 'bench/servers/yoga.mjs',
  protocol: 'graphqlTransportWs',
};
/** The native limit: a WebSocket server that is not written in JavaScript, with one send per subscriber. */
export const NATIVE: Target = {
  name: 'bun',
  title: "Bun's WebSocket server, no GraphQL",
  script: 'bench/peers/bun/server.mjs',
  runtime: 'bench/peers/bun/node_modules/@oven/bun-linux-x64/bin/bun',
  protocol: 'graphqlTransportWs',
};
export const PEERS: readonly Target[] = [
  NATIVE,
  {
    name: 'socket.io',
    title: 'socket.io + Redis adapter',
    script: 'bench/peers/socket.io/server.mjs',
    bridge: 'bench/peers/socket.io/bridge.mjs',
    protocol: 'socketIo',
  },
  {
    name: 'apollo',
    title: 'Apollo + graphql-redis-subscriptions',
    script: 'bench/peers/apollo/server.mjs',
    protocol: 'graphqlTransportWs',
  },
  {
    name: 'mercurius',
    title: 'mercurius',
    script: 'bench/peers/mercurius/server.mjs',
    protocol: 'graphqlTransportWs',
  },
];
