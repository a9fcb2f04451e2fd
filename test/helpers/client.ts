import { randomBytes } from 'node:crypto';
import { createClient, type Client as WebSocketClient } from 'graphql-ws';
import WebSocket from 'ws';
import { stopAtEnd } from './stopping.js';

export interface GraphQLError {
  readonly message: string;
  readonly path?: readonly (string | number)[];
  readonly extensions?: { readonly code?: string } & Readonly<Record<string, unknown>>;
}

/** A result as received. Tests name the type of the data they expect. */
export interface Result<Data> {
  readonly data?: Data | null;
  readonly errors?: readonly GraphQLError[];
}

/** The lobby's documented id. */
export const LOBBY = 'Rlobby0000000000000000A';

/** Runs one operation over HTTP. Rejects if there is no response, or if the signal aborts the request. */
export async function request<Data = Record<string, unknown>>(
  url: string,
  query: string,
  variables: object = {},
  token?: string,
  signal?: AbortSignal,
): Promise<Result<Data>> {
  const response = await fetch(url, {
    ...(signal === undefined ? {} : { signal }),
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
    },
    body: JSON.stringify({ query, variables }),
  });
  // The test that reads the result checks it.
  return (await response.json()) as Result<Data>;
}

export interface Person {
  readonly username: string;
  readonly token: string;
  /** Global id of the User. */
  readonly userId: string;
  /** Runs an operation as this person. */
  request<Data = Record<string, unknown>>(query: string, variables?: object): Promise<Result<Data>>;
}

/** Signs up a new person. */
export async function signUp(
  url: string,
  username = `user-${randomBytes(5).toString('hex')}`,
): Promise<Person> {
  const { data, errors } = await request<{
    signUp: { accessToken?: string; viewer?: { user: { id: string } } };
  }>(
    url,
    `mutation ($input: SignUpInput!) {
      signUp(input: $input) { ... on AuthPayload { accessToken viewer { user { id } } } ... on UserError { message } }
    }`,
    { input: { username, password: 'correct horse battery' } },
  );
  const { accessToken: token, viewer } = data?.signUp ?? {};
  if (token === undefined || viewer === undefined)
    throw new Error(`signUp failed: ${JSON.stringify(data ?? errors)}`);
  return personOf(url, username, token, viewer.user.id);
}

/** The same person as a client of another instance. */
export function at(url: string, { username, token, userId }: Person): Person {
  return personOf(url, username, token, userId);
}

function personOf(url: string, username: string, token: string, userId: string): Person {
  return {
    username,
    token,
    userId,
    request: (query, variables) => request(url, query, variables, token),
  };
}

/** Creates a room with the person as its member, and returns its id. */
export async function createRoom(person: Person, name = 'A room', kind = 'PUBLIC'): Promise<string> {
  const { data, errors } = await person.request<{ createRoom: { room?: { id: string } } }>(
    'mutation ($input: CreateRoomInput!) { createRoom(input: $input) { ... on CreateRoomPayload { room { id } } } }',
    { input: { name, kind } },
  );
  const id = data?.createRoom.room?.id;
  if (id === undefined) throw new Error(`createRoom failed: ${JSON.stringify(data ?? errors)}`);
  return id;
}

export async function joinRoom(person: Person, roomId: string): Promise<void> {
  const { data, errors } = await person.request<{ joinRoom: { __typename: string } }>(
    'mutation ($roomId: ID!) { joinRoom(input: { roomId: $roomId }) { __typename } }',
    { roomId },
  );
  if (data?.joinRoom.__typename !== 'JoinRoomPayload')
    throw new Error(`joinRoom failed: ${JSON.stringify(data ?? errors)}`);
}

export interface Message {
  readonly id: string;
  readonly seq: number;
  readonly text: string;
  readonly type: string;
  readonly createdAt: string;
  readonly clientMessageId: string | null;
  readonly author: { readonly username: string; readonly displayName: string } | null;
}

export interface Edge {
  readonly cursor: string;
  readonly node: Message;
}

export const EDGE_FIELDS =
  'cursor node { id seq text type createdAt clientMessageId author { username displayName } }';

/** Sends one message and returns its edge; throws on any error. */
export async function send(
  person: Person,
  roomId: string,
  text: string,
  clientMessageId?: string,
): Promise<Edge> {
  const { data, errors } = await person.request<{ sendMessage: { edge?: Edge } }>(
    `mutation ($input: SendMessageInput!) {
      sendMessage(input: $input) { __typename ... on SendMessagePayload { edge { ${EDGE_FIELDS} } } ... on UserError { message } }
    }`,
    { input: { roomId, text, ...(clientMessageId === undefined ? {} : { clientMessageId }) } },
  );
  const edge = data?.sendMessage.edge;
  if (edge === undefined) throw new Error(`sendMessage failed: ${JSON.stringify(data ?? errors)}`);
  return edge;
}

export interface MessagePage {
  readonly edges: readonly Edge[];
  readonly pageInfo: {
    readonly hasNextPage: boolean;
    readonly hasPreviousPage: boolean;
    readonly startCursor: string | null;
    readonly endCursor: string | null;
  };
  readonly liveCursor: string;
}

/** Reads a page of a room's history; throws on any error. */
export async function page(
  person: Person,
  roomId: string,
  args: { first?: number; after?: string; last?: number; before?: string } = {},
): Promise<MessagePage> {
  const { data, errors } = await person.request<{ roomMessages: MessagePage | null }>(
    `query ($roomId: ID!, $first: Int, $after: String, $last: Int, $before: String) {
      roomMessages(roomId: $roomId, first: $first, after: $after, last: $last, before: $before) {
        edges { ${EDGE_FIELDS} }
        pageInfo { hasNextPage hasPreviousPage startCursor endCursor }
        liveCursor
      }
    }`,
    { roomId, ...args },
  );
  if (!data?.roomMessages) throw new Error(`roomMessages failed: ${JSON.stringify(errors ?? data)}`);
  return data.roomMessages;
}

/** The standard graphql-ws client, closed at the end of the test file. */
export function connect(
  webSocketUrl: string,
  connectionParams?:
    | Record<string, unknown>
    | (() => Record<string, unknown> | Promise<Record<string, unknown>>),
): WebSocketClient {
  const client = createClient({
    url: webSocketUrl,
    webSocketImpl: WebSocket,
    ...(connectionParams === undefined ? {} : { connectionParams }),
  });
  // A client whose server has stopped may be retrying; the failure of that retry is not an error of the test.
  stopAtEnd(async () => {
    await Promise.resolve(client.dispose()).catch(() => {});
  });
  return client;
}

/** A running subscription. */
export interface Stream<Item> {
  /** Everything received so far. */
  readonly items: readonly Item[];
  /** Resolves to the first `count` items when they have arrived; rejects if the stream ends before. */
  received(count: number): Promise<readonly Item[]>;
  /** Resolves when the stream ends: to its error, or to null if it was completed. */
  readonly ended: Promise<unknown>;
  unsubscribe(): void;
}

/** A running `messageAdded`. */
export interface Subscription extends Stream<Edge> {
  readonly edges: readonly Edge[];
}

export const MESSAGE_ADDED = `subscription ($roomId: ID!, $after: String) {
  messageAdded(roomId: $roomId, after: $after) { ${EDGE_FIELDS} }
}`;

/** Subscribes with the standard client; each edge updates `after`, so that a reconnect resumes. */
export function subscribe(client: WebSocketClient, roomId: string, after?: string): Subscription {
  const stream = follow<{ messageAdded: Edge }, Edge>(
    client,
    MESSAGE_ADDED,
    { roomId, after },
    ({ messageAdded }) => messageAdded,
  );
  return { ...stream, edges: stream.items };
}

/** An event of `roomEvents`, with the fields of all event types. */
export interface RoomEvent {
  readonly __typename: string;
  readonly cursor: string;
  readonly roomId: string;
  readonly occurredAt: string;
  readonly edge?: Edge;
  readonly message?: Message & { readonly revision: number };
  readonly gapReason?: string;
}

export const ROOM_EVENTS = `subscription ($roomId: ID!, $after: String) {
  roomEvents(roomId: $roomId, after: $after) {
    __typename cursor roomId occurredAt
    ... on MessageAddedEvent { edge { ${EDGE_FIELDS} } }
    ... on MessageChangedEvent {
      message { id seq text type revision createdAt clientMessageId author { username displayName } }
    }
    ... on HistoryGapEvent { gapReason }
  }
}`;

/** Like `subscribe`, for `roomEvents`. */
export function subscribeToEvents(
  client: WebSocketClient,
  roomId: string,
  after?: string,
): Stream<RoomEvent> {
  return follow<{ roomEvents: RoomEvent }, RoomEvent>(
    client,
    ROOM_EVENTS,
    { roomId, after },
    ({ roomEvents }) => roomEvents,
  );
}

function follow<Data, Item extends { readonly cursor: string }>(
  client: WebSocketClient,
  query: string,
  variables: { roomId: string; after: string | undefined },
  itemOf: (data: Data) => Item,
): Stream<Item> {
  const items: Item[] = [];
  const waiting = new Set<() => void>();
  let end: { error: unknown } | null = null;
  let settle = (_error: unknown): void => {};
  const ended = new Promise<unknown>((resolve) => {
    settle = resolve;
  });
  const finish = (error: unknown): void => {
    end = { error };
    settle(error);
    for (const check of [...waiting]) check();
  };
  const unsubscribe = client.subscribe<Data>(
    { query, variables },
    {
      next({ data, errors }) {
        if (!data) return finish(errors);
        const item = itemOf(data);
        items.push(item);
        variables.after = item.cursor;
        for (const check of [...waiting]) check();
      },
      error: finish,
      complete: () => finish(null),
    },
  );
  return {
    items,
    ended,
    unsubscribe,
    received: (count) =>
      new Promise((resolve, reject) => {
        const check = (): void => {
          if (items.length >= count) {
            waiting.delete(check);
            resolve(items.slice(0, count));
          } else if (end) {
            waiting.delete(check);
            reject(new Error(`Ended after ${items.length} of ${count}: ${JSON.stringify(end.error)}`));
          }
        };
        waiting.add(check);
        check();
      }),
  };
}
