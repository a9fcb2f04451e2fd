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
export const YOGA: Target = {
  name: 'yoga',
  title: 'graphql-yoga + graphql-ws',
  script: 'bench/servers/yoga.mjs',
  protocol: 'graphqlTransportWs',
};
export const PEERS: readonly Target[] = [
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
