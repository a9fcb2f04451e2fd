import type { DocumentNode } from 'graphql';
import type { ParleyClient } from '../client.js';
import { ParleyError, parleyErrorOf } from '../errors.js';
import { createThrottle } from '../throttle.js';
import type { ParleyStatus } from '../types.js';
import { type Page, roomDocuments } from './documents.js';
import { createMessageList, type RoomMessage } from './messages.js';

/** What a component shows of a room, and what it can do there. The functions never change. */
export interface Room<Fields> {
  /** Oldest first, each message once, in `seq` order; own messages that are not stored yet come last. */
  readonly messages: readonly RoomMessage<Fields>[];
  /** Whether the first page is still on its way. */
  readonly isLoading: boolean;
  /** Whether there are messages before the first one. */
  readonly hasOlder: boolean;
  /** The status of the client's connection. */
  readonly status: ParleyStatus;
  /** Why the room cannot be shown or continued; `reload` tries again. */
  readonly error: ParleyError | null;
  /** Loads the page before the first message; does nothing if there is none, or if it is loading already. */
  readonly loadOlder: () => void;
  /** Shows the message at once, and sends it, in the order of the calls, through outages of any length. */
  readonly send: (text: string) => void;
  /** Sends a message again whose `status` is `failed`. */
  readonly retry: (key: string) => void;
  /** Removes a message whose `status` is `failed`. */
  readonly discard: (key: string) => void;
  /** Starts anew after an `error`, for example when the person has signed in again. */
  readonly reload: () => void;
}

export interface RoomStore<Fields> {
  /** The same object until something changes. */
  getState(): Room<Fields>;
  /** Connects with the first listener, and disconnects after the last one has gone. */
  subscribe(listener: () => void): () => void;
}

export interface RoomStoreOptions {
  readonly client: ParleyClient;
  readonly roomId: string;
  readonly message: DocumentNode | undefined;
  readonly pageSize: number;
}

type PageInfo = NonNullable<Page<unknown>['roomMessages']>['pageInfo'];

/** The state of one room, without React. */
export function createRoomStore<Fields>(options: RoomStoreOptions): RoomStore<Fields> {
  const { client, roomId, pageSize: size } = options;
  const documents = roomDocuments<Fields>(options.message);
  const list = createMessageList<Fields>();
  const listeners = new Set<() => void>();
  let firstPage: PageInfo | null = null;
  let error: ParleyError | null = null;
  let isLoadingOlder = false;
  /** Own messages are sent one after the other. */
  let lastSend: Promise<void> = Promise.resolve();
  /** Aborts when the store disconnects, or starts anew. */
  let run: AbortController | null = null;
  /** What the events change that arrive while the newest page is read; null at other times. */
  let waiting: (() => void)[] | null = null;
  let state = snapshot();

  const throttle = createThrottle(() => {
    state = snapshot();
    for (const listener of [...listeners]) listener();
  });
  const changed = throttle.request;

  function snapshot(): Room<Fields> {
    return {
      messages: list.all(),
      isLoading: firstPage === null && error === null,
      hasOlder: firstPage?.hasPreviousPage === true,
      status: client.status,
      error,
      loadOlder,
      send,
      retry,
      discard,
      reload,
    };
  }

  function fail(cause: unknown): void {
    error = parleyErrorOf(cause);
    changed();
  }

  /** @throws ParleyError `NOT_FOUND` if there is no such room for the viewer. */
  async function readPage(signal: AbortSignal, before: string | null) {
    const { roomMessages } = await client.query(documents.page, { roomId, size, before }, { signal });
    if (!roomMessages) throw new ParleyError('NOT_FOUND', 'There is no such room.');
    return roomMessages;
  }

  /** Replaces the stored messages by the newest page, and by what has arrived since it was requested. */
  async function readNewest(signal: AbortSignal): Promise<string> {
    const changes: (() => void)[] = [];
    waiting = changes;
    const page = await readPage(signal, null).catch((cause) => {
      // Otherwise what arrives would wait for ever.
      if (waiting === changes) waiting = null;
      throw cause;
    });
    // Another gap, or another run, has started over.
    if (waiting !== changes) return page.liveCursor;
    waiting = null;
    list.clearStored();
    list.add(page.nodes);
    for (const change of changes) change();
    firstPage = page.pageInfo;
    changed();
    return page.liveCursor;
  }

  async function connect({ signal }: AbortController): Promise<void> {
    const ignoreAborted = (cause: unknown): void => {
      if (!signal.aborted) fail(cause);
    };
    try {
      const after = await readNewest(signal);
      if (signal.aborted) return;
      const unsubscribe = client.subscribe(
        documents.events,
        { roomId, after },
        {
          next({ roomEvents: { edge, message } }) {
            const change = (): void => {
              if (edge) list.add([edge.node]);
              if (message) list.update(message);
            };
            if (waiting) waiting.push(change);
            else {
              change();
              changed();
            }
          },
          error: fail,
          historyGap: () => void readNewest(signal).catch(ignoreAborted),
        },
      );
      signal.addEventListener('abort', unsubscribe, { once: true });
    } catch (cause) {
      ignoreAborted(cause);
    }
  }

  function start(): void {
    run?.abort();
    run = new AbortController();
    run.signal.addEventListener('abort', client.onStatus(changed), { once: true });
    void connect(run);
    state = snapshot();
  }

  function stopIfUnused(): void {
    if (listeners.size > 0) return;
    run?.abort();
    run = null;
    throttle.cancel();
  }

  function loadOlder(): void {
    const before = firstPage?.startCursor ?? null;
    if (!run || !firstPage?.hasPreviousPage || before === null || isLoadingOlder) return;
    const { signal } = run;
    const base = firstPage;
    isLoadingOlder = true;
    readPage(signal, before)
      .then(({ nodes, pageInfo }) => {
        // Otherwise the history was replaced meanwhile.
        if (firstPage !== base || waiting) return;
        firstPage = pageInfo;
        list.add(nodes);
        changed();
      })
      .catch((cause) => {
        if (!signal.aborted) fail(cause);
      })
      .finally(() => {
        isLoadingOlder = false;
      });
  }

  function send(text: string): void {
    const key = crypto.randomUUID();
    list.put({ key, id: key, seq: 0, text, clientMessageId: key, status: 'sending', error: null });
    changed();
    lastSend = lastSend.then(() => deliver(key, text));
  }

  /** Sends until there is an answer; the client repeats it as long as necessary. Never rejects. */
  async function deliver(key: string, text: string): Promise<void> {
    try {
      const input = { roomId, text, clientMessageId: key };
      const { sendMessage } = await client.mutate(documents.send, { input });
      if (!sendMessage.edge) throw new ParleyError(sendMessage.__typename, sendMessage.message ?? '');
      list.add([sendMessage.edge.node]);
    } catch (cause) {
      const message = list.unsent(key);
      // It may have arrived by the subscription.
      if (message) list.put({ ...message, status: 'failed', error: parleyErrorOf(cause) });
    }
    changed();
  }

  function retry(key: string): void {
    const message = list.unsent(key);
    if (message?.status !== 'failed') return;
    list.put({ ...message, status: 'sending', error: null });
    changed();
    lastSend = lastSend.then(() => deliver(key, message.text));
  }

  function discard(key: string): void {
    if (list.unsent(key)?.status !== 'failed') return;
    list.remove(key);
    changed();
  }

  function reload(): void {
    if (!run) return;
    error = null;
    firstPage = null;
    start();
    changed();
  }

  return {
    getState: () => state,
    subscribe(listener) {
      listeners.add(listener);
      if (!run) start();
      return () => {
        listeners.delete(listener);
        // React's StrictMode unsubscribes and subscribes again in one go.
        setTimeout(stopIfUnused);
      };
    },
  };
}
