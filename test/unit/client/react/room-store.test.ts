import { parse, print } from 'graphql';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { type ParleyClient, ParleyError } from '../../../../packages/client/src/index.js';
import { createRoomStore } from '../../../../packages/client/src/react/room-store.js';

/* The store of `useRoom`, with the test as its client. */

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

/** A request that waits for its answer. */
interface Call {
  readonly variables: Record<string, unknown>;
  readonly signal?: AbortSignal;
  resolve(data: object): void;
  reject(error: Error): void;
}

interface Running {
  readonly variables: Record<string, unknown>;
  readonly subscriber: { next(data: object): void; error(error: Error): void; historyGap(): void };
  isOpen: boolean;
}

function createStub() {
  const queries: Call[] = [];
  const mutations: Call[] = [];
  const subscriptions: Running[] = [];
  const documents: string[] = [];
  const request =
    (calls: Call[]) =>
    (
      document: Parameters<typeof print>[0],
      variables: Call['variables'],
      options?: { signal?: AbortSignal },
    ) =>
      new Promise((resolve, reject) => {
        documents.push(print(document));
        calls.push({ variables, resolve, reject, ...(options?.signal && { signal: options.signal }) });
      });
  let statusListener = (): void => {};
  const client = {
    status: 'live',
    onStatus(listener: () => void) {
      statusListener = listener;
      return () => {
        statusListener = () => {};
      };
    },
    query: request(queries),
    mutate: request(mutations),
    subscribe(
      document: Parameters<typeof print>[0],
      variables: Running['variables'],
      subscriber: Running['subscriber'],
    ) {
      documents.push(print(document));
      const running = { variables, subscriber, isOpen: true };
      subscriptions.push(running);
      return () => {
        running.isOpen = false;
      };
    },
  };
  return {
    // The store uses nothing else of a client.
    client: client as unknown as ParleyClient,
    queries,
    mutations,
    subscriptions,
    documents,
    setStatus(status: string) {
      client.status = status;
      statusListener();
    },
  };
}

const message = (seq: number, clientMessageId: string | null = null, revision = 1) => ({
  id: `id ${seq}`,
  seq,
  revision,
  text: `text ${seq}`,
  clientMessageId,
});
const page = (seqs: readonly number[], hasPreviousPage = false, liveCursor = `after ${seqs.at(-1)}`) => ({
  roomMessages: {
    nodes: seqs.map((seq) => message(seq)),
    pageInfo: { hasPreviousPage, startCursor: `at ${seqs[0]}` },
    liveCursor,
  },
});
const added = (seq: number, clientMessageId: string | null = null) => ({
  roomEvents: { edge: { node: message(seq, clientMessageId) } },
});

function open(fragment?: string) {
  const stub = createStub();
  const store = createRoomStore<object>({
    client: stub.client,
    roomId: 'room',
    message: fragment ? parse(fragment) : undefined,
    pageSize: 10,
  });
  let renders = 0;
  const close = store.subscribe(() => {
    renders += 1;
  });
  return {
    ...stub,
    store,
    close,
    renders: () => renders,
    room: () => store.getState(),
    texts: () => store.getState().messages.map(({ text }) => text),
    /** Lets promises and timers run. */
    pass: () => vi.advanceTimersByTimeAsync(50),
  };
}

async function openWith(seqs: readonly number[], hasPreviousPage = false) {
  const opened = open();
  opened.queries[0]?.resolve(page(seqs, hasPreviousPage));
  await opened.pass();
  return opened;
}

test('should show the newest page, then what happens after it', async () => {
  const { room, texts, queries, subscriptions, pass } = open();
  expect(room()).toMatchObject({ isLoading: true, messages: [], hasOlder: false, error: null });
  expect(queries[0]?.variables).toEqual({ roomId: 'room', size: 10, before: null });
  queries[0]?.resolve(page([1, 2]));
  await pass();
  expect(room()).toMatchObject({ isLoading: false, hasOlder: false });
  expect(texts()).toEqual(['text 1', 'text 2']);
  expect(subscriptions[0]?.variables).toEqual({ roomId: 'room', after: 'after 2' });

  subscriptions[0]?.subscriber.next(added(3));
  subscriptions[0]?.subscriber.next({
    roomEvents: { message: { ...message(1), revision: 2, text: 'edited' } },
  });
  subscriptions[0]?.subscriber.next({ roomEvents: { __typename: 'CaughtUpEvent' } });
  await pass();
  expect(texts()).toEqual(['edited', 'text 2', 'text 3']);
});

test('should load older pages one at a time, without moving the subscription', async () => {
  const { room, texts, queries, subscriptions, pass } = await openWith([5, 6], true);
  room().loadOlder();
  room().loadOlder();
  expect(queries.map(({ variables }) => variables.before)).toEqual([null, 'at 5']);
  queries[1]?.resolve(page([3, 4], true));
  await pass();
  room().loadOlder();
  queries[2]?.resolve(page([1, 2]));
  await pass();

  expect(texts()).toEqual([1, 2, 3, 4, 5, 6].map((seq) => `text ${seq}`));
  expect(room().hasOlder).toBe(false);
  room().loadOlder();
  expect(queries).toHaveLength(3);
  expect(subscriptions).toHaveLength(1);
});

test('should select the fields of a fragment, and of those that it uses, everywhere', async () => {
  const { documents, queries, room, pass } = open(
    'fragment Chat on Message { author { ...Name } } fragment Name on User { displayName }',
  );
  queries[0]?.resolve(page([1]));
  await pass();
  room().send('hello');
  await pass();

  expect(documents).toHaveLength(3);
  for (const document of documents) {
    expect(document).toContain('...Chat');
    expect(document).toContain('fragment Name on User');
  }
});

test('should refuse a document without a fragment on Message', () => {
  expect(() => open('fragment Name on User { displayName }')).toThrow(/needs a fragment on Message/);
});

test('should send own messages in order, one after the other, and show them until they are stored', async () => {
  const { room, texts, mutations, subscriptions, pass } = await openWith([1]);
  room().send('first');
  room().send('second');
  await pass();
  expect(texts()).toEqual(['text 1', 'first', 'second']);
  expect(mutations).toHaveLength(1);
  const key = room().messages[1]?.key ?? '';
  expect(mutations[0]?.variables).toEqual({ input: { roomId: 'room', text: 'first', clientMessageId: key } });

  // By the subscription before the mutation's result.
  subscriptions[0]?.subscriber.next(added(2, key));
  await pass();
  expect(texts()).toEqual(['text 1', 'text 2', 'second']);
  expect(room().messages[1]).toMatchObject({ key, status: 'sent' });
  mutations[0]?.resolve({
    sendMessage: { __typename: 'SendMessagePayload', edge: { node: message(2, key) } },
  });
  await pass();
  expect(texts()).toEqual(['text 1', 'text 2', 'second']);
  expect(mutations).toHaveLength(2);
});

test('should keep a refused message until it is sent again or discarded', async () => {
  const { room, mutations, texts, pass } = await openWith([1]);
  room().send('refused');
  await pass();
  mutations[0]?.resolve({ sendMessage: { __typename: 'RateLimitedError', message: 'Too fast.' } });
  await pass();
  const failed = room().messages[1];
  expect(failed).toMatchObject({
    status: 'failed',
    error: { code: 'RateLimitedError', message: 'Too fast.' },
  });

  room().retry(failed?.key ?? '');
  await pass();
  expect(room().messages[1]).toMatchObject({ status: 'sending', error: null });
  expect(mutations[1]?.variables).toEqual(mutations[0]?.variables);
  mutations[1]?.reject(new ParleyError('FORBIDDEN', 'No.'));
  await pass();
  expect(room().messages[1]).toMatchObject({ status: 'failed', error: { code: 'FORBIDDEN' } });
  room().discard(failed?.key ?? '');
  await pass();
  expect(texts()).toEqual(['text 1']);
});

test('should replace the list after a gap, with what arrived while the new page was read', async () => {
  const { queries, subscriptions, texts, room, pass } = await openWith([5, 6], true);
  room().send('own');
  subscriptions[0]?.subscriber.historyGap();
  subscriptions[0]?.subscriber.next(added(3));
  subscriptions[0]?.subscriber.next({
    roomEvents: { message: { ...message(2), revision: 2, text: 'edited' } },
  });
  await pass();
  expect(texts()).toEqual(['text 5', 'text 6', 'own']);
  queries[1]?.resolve(page([1, 2]));
  await pass();

  expect(texts()).toEqual(['text 1', 'edited', 'text 3', 'own']);
  expect(room().hasOlder).toBe(false);
});

test('should go on with the list that it has if the page after a gap is refused', async () => {
  const { queries, subscriptions, texts, room, pass } = await openWith([5]);
  subscriptions[0]?.subscriber.historyGap();
  queries[1]?.reject(new ParleyError('RATE_LIMITED', 'Later.'));
  await pass();
  expect(room().error).toMatchObject({ code: 'RATE_LIMITED' });
  subscriptions[0]?.subscriber.next(added(6));
  await pass();

  expect(texts()).toEqual(['text 5', 'text 6']);
});

test('should drop an older page of a history that was replaced', async () => {
  const { queries, subscriptions, texts, room, pass } = await openWith([5, 6], true);
  room().loadOlder();
  subscriptions[0]?.subscriber.historyGap();
  queries[1]?.resolve(page([3, 4]));
  queries[2]?.resolve(page([1, 2]));
  await pass();

  expect(texts()).toEqual(['text 1', 'text 2']);
});

test('should report an error, and start anew on demand', async () => {
  const { queries, subscriptions, room, texts, pass } = await openWith([1]);
  subscriptions[0]?.subscriber.error(new ParleyError('UNAUTHENTICATED', 'Sign in.'));
  await pass();
  expect(room().error).toMatchObject({ code: 'UNAUTHENTICATED' });
  expect(texts()).toEqual(['text 1']);

  room().reload();
  await pass();
  expect(room().error).toBeNull();
  queries[1]?.resolve(page([1, 2]));
  await pass();
  expect(texts()).toEqual(['text 1', 'text 2']);
  expect(subscriptions.map(({ isOpen }) => isOpen)).toEqual([false, true]);
});

test('should report a room that does not exist for the viewer', async () => {
  const { queries, room, subscriptions, pass } = open();
  queries[0]?.resolve({ roomMessages: null });
  await pass();

  expect(room()).toMatchObject({ isLoading: false, error: { code: 'NOT_FOUND' } });
  expect(subscriptions).toEqual([]);
});

test('should follow the status of the client', async () => {
  const { room, setStatus, pass } = await openWith([1]);
  setStatus('offline');
  await pass();
  expect(room().status).toBe('offline');
});

test('should render a burst a few times only', async () => {
  const { subscriptions, renders, texts, pass } = await openWith([1]);
  const before = renders();
  for (let seq = 2; seq <= 1000; seq += 1) subscriptions[0]?.subscriber.next(added(seq));
  await pass();

  expect(texts()).toHaveLength(1000);
  expect(renders() - before).toBeLessThan(10);
});

test('should survive that its only listener leaves and comes back at once, as in StrictMode', async () => {
  const { store, close, queries, subscriptions, texts, pass } = open();
  close();
  const again = store.subscribe(() => {});
  await pass();
  expect(queries).toHaveLength(1);
  queries[0]?.resolve(page([1]));
  await pass();
  expect(texts()).toEqual(['text 1']);

  again();
  await pass();
  expect(subscriptions.map(({ isOpen }) => isOpen)).toEqual([false]);
});

test('should not subscribe if it was left while the page was read', async () => {
  const { close, queries, subscriptions, room, pass } = open();
  close();
  await pass();
  expect(queries[0]?.signal?.aborted).toBe(true);
  queries[0]?.resolve(page([1]));
  await pass();

  expect(subscriptions).toEqual([]);
  expect(room().error).toBeNull();
});

test('should send what was typed before it was left', async () => {
  const { close, room, mutations, pass } = await openWith([1]);
  room().send('first');
  room().send('second');
  close();
  await pass();
  mutations[0]?.resolve({ sendMessage: { __typename: 'SendMessagePayload', edge: { node: message(2) } } });
  await pass();

  expect(mutations).toHaveLength(2);
});
