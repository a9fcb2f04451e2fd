import WebSocket from 'ws';
import {
  createParleyClient,
  type ParleyClient,
  type ParleyClientOptions,
  type ParleyError,
} from '../../packages/client/src/index.js';
import {
  MessageAddedDocument,
  type MessageAddedSubscription,
  RoomEventsDocument,
  type RoomEventsSubscription,
} from '../../schema/generated/graphql.js';
import { stopAtEnd } from './stopping.js';

/** A parley-client in Node, disposed at the end of the test file. Its pauses are short. */
export function createClientOf(options: ParleyClientOptions): ParleyClient {
  const client = createParleyClient({ webSocket: WebSocket, maxRetryDelayMs: 300, ...options });
  stopAtEnd(async () => client.dispose());
  return client;
}

/** Everything that a subscription has delivered so far. */
export interface Received<Item> {
  readonly items: readonly Item[];
  /** The codes of its errors, of which there is at most one, and of reported gaps. */
  readonly errors: readonly string[];
  readonly gaps: readonly string[];
  stop(): void;
}

export type EdgeOf = MessageAddedSubscription['messageAdded'];
export type EventOf = RoomEventsSubscription['roomEvents'];

/** Subscribes to the messages of a room; `readPage` returns the cursor to continue at after a gap. */
export function watchMessages(
  client: ParleyClient,
  roomId: string,
  after?: string | null,
  readPage?: () => Promise<string>,
): Received<EdgeOf> {
  const items: EdgeOf[] = [];
  const errors: string[] = [];
  const gaps: string[] = [];
  const historyGap = readPage && {
    historyGap: ({ code }: ParleyError) => {
      gaps.push(code);
      return readPage();
    },
  };
  const stop = client.subscribe(
    MessageAddedDocument,
    { roomId, after },
    {
      next: ({ messageAdded }) => items.push(messageAdded),
      error: ({ code }) => errors.push(code),
      ...historyGap,
    },
  );
  return { items, errors, gaps, stop };
}

/** Subscribes to the events of a room. */
export function watchEvents(client: ParleyClient, roomId: string, after?: string | null): Received<EventOf> {
  const items: EventOf[] = [];
  const errors: string[] = [];
  const gaps: string[] = [];
  const stop = client.subscribe(
    RoomEventsDocument,
    { roomId, after },
    {
      next: ({ roomEvents }) => items.push(roomEvents),
      error: ({ code }) => errors.push(code),
      historyGap: ({ code }) => gaps.push(code),
    },
  );
  return { items, errors, gaps, stop };
}
