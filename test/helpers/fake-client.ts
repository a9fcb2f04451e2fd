import { parse } from 'graphql';
import { vi } from 'vitest';
import {
  createParleyClient,
  type ParleyClient,
  type ParleyClientOptions,
  type ParleyError,
  type ParleyStatus,
  type Result,
  type TypedDocumentNode,
} from '../../packages/client/src/index.js';
import { createFakeNetwork, type FakeNetwork } from './fake-network.js';

export interface Edge {
  readonly cursor: string;
  readonly node: { readonly seq: number };
}

export const MESSAGE_ADDED: TypedDocumentNode<
  { messageAdded: Edge },
  { roomId: string; after?: string | null }
> = parse(`subscription ($roomId: ID!, $after: String) {
  messageAdded(roomId: $roomId, after: $after) { cursor node { seq } }
}`);

export const ROOM_EVENTS: TypedDocumentNode<
  { roomEvents: { __typename: string; cursor: string } },
  { roomId: string; after?: string | null }
> = parse(`subscription ($roomId: ID!, $after: String) {
  roomEvents(roomId: $roomId, after: $after) {
    __typename cursor
    ... on MessageAddedEvent { edge { node { seq revision } } }
    ... on MessageChangedEvent { message { seq revision } }
  }
}`);

export const VIEWER: TypedDocumentNode<{ viewer: { id: string } }, Record<string, never>> = parse(
  '{ viewer { id } }',
);

export const SEND: TypedDocumentNode<
  { sendMessage: { __typename: string } },
  { input: { roomId: string; text: string; clientMessageId?: string } }
> = parse('mutation ($input: SendMessageInput!) { sendMessage(input: $input) { __typename } }');

/** A client whose server is the test. Pauses between attempts take their longest. */
export interface FakeClient {
  readonly client: ParleyClient;
  readonly network: FakeNetwork;
  /** What `onStatus` was called with: the status and the code of the reason. */
  readonly statuses: readonly string[];
  /** Lets timers run, in ms. */
  pass(ms?: number): Promise<void>;
}

/** To be used with fake timers. */
export function createFakeClient(options: Partial<ParleyClientOptions> = {}): FakeClient {
  const network = createFakeNetwork();
  const statuses: string[] = [];
  vi.spyOn(Math, 'random').mockReturnValue(1);
  const client = createParleyClient({
    url: 'http://localhost:4000/graphql',
    token: 'a-token',
    webSocket: network.WebSocket,
    onStatus: (status: ParleyStatus, reason: ParleyError | null) => {
      statuses.push(reason ? `${status} ${reason.code}` : status);
    },
    ...options,
  });
  return {
    client,
    network,
    statuses,
    pass: async (ms = 0) => {
      await vi.advanceTimersByTimeAsync(ms);
    },
  };
}

/** The event of `messageAdded` for a message, as a payload of `next`. */
export function added(seq: number): Result {
  return { data: { messageAdded: { cursor: `c${seq}`, node: { seq } } } };
}

/** Records what a subscriber is called with. */
export function createSubscriber<Data>() {
  const items: Data[] = [];
  const errors: string[] = [];
  let isComplete = false;
  return {
    items,
    errors,
    get isComplete() {
      return isComplete;
    },
    next(data: Data): void {
      items.push(data);
    },
    error(error: ParleyError): void {
      errors.push(error.code);
    },
    complete(): void {
      isComplete = true;
    },
  };
}
