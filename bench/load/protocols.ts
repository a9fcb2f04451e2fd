import type { Delivered } from './room-check.js';

/** What a subscriber asks for. */
export interface Wish {
  /** Of its operation; the protocol may have no use for it. */
  readonly id: string;
  readonly roomId: string;
  readonly token: string;
  /** Where to begin; null: with what comes next. */
  readonly after: string | null;
}

/** How a kind of server is spoken to. */
export interface Protocol {
  readonly path: string;
  readonly subprotocol: string | null;
  /** Whether its frames name the operation that they are for. */
  readonly namesOperation: boolean;
  /** What is sent first; null where the server speaks first. */
  hello(wish: Wish): string | null;
  /** What is answered to a text that delivers nothing; null for nothing. @throws Error where it means a failure. */
  answer(text: string, wish: Wish): string | null;
  /** What a text delivers; null where it is of another kind. */
  parse(text: string): Delivered | null;
}

/** The same for all who speak GraphQL. */
export const SUBSCRIPTION = `subscription Live($roomId: ID!, $after: String) {
  messageAdded(roomId: $roomId, after: $after) {
    cursor
    node { id seq text createdAt author { username displayName } }
  }
}`;

interface GraphQLFrame {
  readonly type: string;
  readonly payload?: { readonly data?: { readonly messageAdded: { readonly node: Delivered } } | null };
}

/** https://github.com/enisdenjo/graphql-ws/blob/master/PROTOCOL.md, by hand. */
export const graphqlTransportWs: Protocol = {
  path: '/graphql',
  subprotocol: 'graphql-transport-ws',
  namesOperation: true,
  hello: ({ token }) =>
    JSON.stringify({ type: 'connection_init', payload: { authorization: `Bearer ${token}` } }),
  answer(text, { id, roomId, after }) {
    const { type } = JSON.parse(text) as GraphQLFrame;
    if (type === 'ping') return '{"type":"pong"}';
    if (type !== 'connection_ack') throw new Error(`Instead of a delivery came ${text.slice(0, 300)}`);
    const variables = after === null ? { roomId } : { roomId, after };
    return JSON.stringify({ id, type: 'subscribe', payload: { query: SUBSCRIPTION, variables } });
  },
  parse(text) {
    const { type, payload } = JSON.parse(text) as GraphQLFrame;
    return (type === 'next' && payload?.data?.messageAdded.node) || null;
  },
};

/** https://socket.io/docs/v4/socket-io-protocol/, without polling. */
export const socketIo: Protocol = {
  path: '/socket.io/?EIO=4&transport=websocket',
  subprotocol: null,
  namesOperation: false,
  hello: () => null,
  answer(text, { roomId }) {
    if (text.startsWith('0')) return '40';
    if (text.startsWith('40')) return `42${JSON.stringify(['join', roomId])}`;
    if (text === '2') return '3';
    throw new Error(`Instead of a delivery came ${text.slice(0, 300)}`);
  },
  parse(text) {
    if (!text.startsWith('42')) return null;
    const [, edge] = JSON.parse(text.slice(2)) as [string, { node: Delivered }];
    return edge.node;
  },
};

export const PROTOCOLS = { graphqlTransportWs, socketIo };
export type ProtocolName = keyof typeof PROTOCOLS;
