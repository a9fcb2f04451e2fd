import { type Line, openLine } from './line.js';
import type { Delivered } from './room-check.js';

/** Parley takes so many operations at once on one socket, with room to spare. */
const PER_SOCKET = 50;

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

export type Sent = Pick<Delivered, 'id' | 'seq'>;

export interface SenderOptions {
  readonly port: number;
  readonly token: string;
  /** How many messages may be under way at once. */
  readonly concurrency: number;
  readonly onFailure: (reason: string) => void;
}

export interface Sender {
  /** Sends over one socket after the other; `onSent` hears of it when it is stored. */
  send(roomId: string, text: string, onSent: (sent: Sent) => void): void;
  close(): void;
}

/** Sends through Parley, over as many sockets as that takes. Resolves when they are open. */
export async function openSender({ port, token, concurrency, onFailure }: SenderOptions): Promise<Sender> {
  const waiting = new Map<string, (sent: Sent) => void>();
  let last = 0;

  function onAnswer(text: string): void {
    const { id, type, payload } = JSON.parse(text) as Frame;
    if (type !== 'next' || id === undefined) {
      if (type === 'error') onFailure(`A message was refused: ${text}`);
      return;
    }
    const node = payload?.data?.sendMessage?.edge?.node;
    if (node) waiting.get(id)?.(node);
    else onFailure(`A message was refused: ${text}`);
    waiting.delete(id);
  }

  async function open(): Promise<Line> {
    let acknowledge = (): void => {};
    const acknowledged = new Promise<void>((resolve) => {
      acknowledge = resolve;
    });
    const line = await openLine({
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
    line.send(JSON.stringify({ type: 'connection_init', payload: { authorization: `Bearer ${token}` } }));
    await acknowledged;
    return line;
  }

  const lines = await Promise.all(Array.from({ length: Math.ceil(concurrency / PER_SOCKET) }, open));
  return {
    send(roomId, text, onSent) {
      const id = String(++last);
      waiting.set(id, onSent);
      const payload = { query: SEND, variables: { input: { roomId, text } } };
      lines[last % lines.length]?.send(JSON.stringify({ id, type: 'subscribe', payload }));
    },
    close() {
      for (const line of lines) line.destroy();
    },
  };
}
