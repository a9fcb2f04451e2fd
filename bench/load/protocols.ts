import type { Delivery } from './room-check.js';

/** One subscription to a room. */
export interface SubscribeRequest {
  /** The id of the operation; not every protocol uses it. */
  readonly id: string;
  readonly roomId: string;
  readonly token: string;
  /** The cursor to start after; null starts with the next message. */
  readonly after: string | null;
  /** The subscription; `SUBSCRIPTION` by default. */
  readonly query?: string;
}

/** The client side of a subscription protocol. */
export interface Protocol {
  readonly path: string;
  readonly subprotocol: string | null;
  /** Whether each frame contains the id of its operation. */
  readonly namesOperation: boolean;
  /** The first text that the client sends; null if the server sends first. */
  hello(request: SubscribeRequest): string | null;
  /** The reply to a text that is not a delivery; null for none. @throws Error if the text reports a failure. */
  reply(text: string, request: SubscribeRequest): string | null;
  /** The message that a text delivers; null if it is not a delivery. */
  parse(text: string): Delivery | null;
}

/** Sent to every GraphQL server, so that all of them do the same work. */
export const SUBSCRIPTION = `subscription Live($roomId: ID!, $after: String) {
  messageAdded(roomId: $roomId, after: $after) {
    cursor
    node { id seq text createdAt author { username displayName } }
  }
}`;

interface GraphQLFrame {
  readonly type: string;
  readonly payload?: { readonly data?: { readonly messageAdded: { readonly node: Delivery } } | null };
}

/** The protocol of https://github.com/enisdenjo/graphql-ws/blob/master/PROTOCOL.md. */
export const graphqlTransportWs: Protocol = {
  path: '/graphql',
  subprotocol: 'graphql-transport-ws',
  namesOperation: true,
  hello: ({ token }) =>
    JSON.stringify({ type: 'connection_init', payload: { authorization: `Bearer ${token}` } }),
  reply(text, { id, roomId, after, query = SUBSCRIPTION }) {
    const { type } = JSON.parse(text) as GraphQLFrame;
    if (type === 'ping') return '{"type":"pong"}';
    if (type !== 'connection_ack') throw new Error(`Expected a delivery, received ${text.slice(0, 300)}`);
    const variables = after === null ? { roomId } : { roomId, after };
    return JSON.stringify({ id, type: 'subscribe', payload: { query, variables } });
  },
  parse(text) {
    const { type, payload } = JSON.parse(text) as GraphQLFrame;
    return (type === 'next' && payload?.data?.messageAdded.node) || null;
  },
};

/** The protocol of https://socket.io/docs/v4/socket-io-protocol/, without polling. */
export const socketIo: Protocol = {
  path: '/socket.io/?EIO=4&transport=websocket',
  subprotocol: null,
  namesOperation: false,
  hello: () => null,
  reply(text, { roomId }) {
    if (text.startsWith('0')) return '40';
    if (text.startsWith('40')) return `42${JSON.stringify(['join', roomId])}`;
    if (text === '2') return '3';
    throw new Error(`Expected a delivery, received ${text.slice(0, 300)}`);
  },
  parse(text) {
    if (!text.startsWith('42')) return null;
    const [, edge] = JSON.parse(text.slice(2)) as [string, { node: Delivery }];
    return edge.node;
  },
};

export const PROTOCOLS = { graphqlTransportWs, socketIo };
export type ProtocolName = keyof typeof PROTOCOLS;
