import { type Connection, openConnection } from './connection.js';
import type { Delivery } from './room-check.js';

/** Below the number of concurrent operations that Parley allows on one socket. */
const MAX_OPERATIONS_PER_SOCKET = 50;

export const SEND = `mutation Send($input: SendMessageInput!) {
  sendMessage(input: $input) {
    __typename
    ... on SendMessagePayload { edge { cursor node { id seq } } }
    ... on UserError { message }
  }
}`;

interface Frame {
  readonly id?: string;
  readonly type: string;
  readonly payload?: {
    readonly data?: { readonly sendMessage?: { readonly edge?: { readonly node: Sent } } };
  };
}

export type Sent = Pick<Delivery, 'id' | 'seq'>;

export interface SenderOptions {
  readonly port: number;
  readonly token: string;
  /** The maximum number of messages that wait for their acknowledgement. */
  readonly concurrency: number;
  readonly onFailure: (reason: string) => void;
}

export interface Sender {
  /** Sends over the sockets in turn; `onSent` is called when the message is stored. */
  send(roomId: string, text: string, onSent: (sent: Sent) => void): void;
  close(): void;
}

/** Opens a sender through Parley, with as many sockets as `concurrency` needs. Resolves when they are open. */
export async function openSender({ port, token, concurrency, onFailure }: SenderOptions): Promise<Sender> {
  const waiting = new Map<string, (sent: Sent) => void>();
  let last = 0;

  function onAnswer(text: string): void {
    const { id, type, payload } = JSON.parse(text) as Frame;
    if (type !== 'next' || id === undefined) {
      if (type === 'error') onFailure(`A message was rejected: ${text}`);
      return;
    }
    const node = payload?.data?.sendMessage?.edge?.node;
    if (node) waiting.get(id)?.(node);
    else onFailure(`A message was rejected: ${text}`);
    waiting.delete(id);
  }

  async function open(): Promise<Connection> {
    let acknowledge = (): void => {};
    const acknowledged = new Promise<void>((resolve) => {
      acknowledge = resolve;
    });
    const connection = await openConnection({
      port,
      path: '/graphql',
      subprotocol: 'graphql-transport-ws',
      onText: (bytes, from, to) => {
        const text = bytes.toString('utf8', from, to);
        if (text.startsWith('{"type":"connection_ack"')) acknowledge();
        else onAnswer(text);
      },
      onEnd: onFailure,
    });
    connection.send(
      JSON.stringify({ type: 'connection_init', payload: { authorization: `Bearer ${token}` } }),
    );
    await acknowledged;
    return connection;
  }

  const connections = await Promise.all(
    Array.from({ length: Math.ceil(concurrency / MAX_OPERATIONS_PER_SOCKET) }, open),
  );
  return {
    send(roomId, text, onSent) {
      const id = String(++last);
      waiting.set(id, onSent);
      const payload = { query: SEND, variables: { input: { roomId, text } } };
      connections[last % connections.length]?.send(JSON.stringify({ id, type: 'subscribe', payload }));
    },
    close() {
      for (const connection of connections) connection.destroy();
    },
  };
}
