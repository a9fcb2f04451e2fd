import { decodeMessageCursor } from '../../../src/domain/cursor.js';
import { rowId } from '../../../src/graphql/schema/global-id.js';
import type { GraphQLError } from '../../helpers/client.js';
import type { MessageRef } from '../verdict/check.js';
import type { Operations } from './operations.js';

/** A client that watches a room and expects to be notified when its history was replaced. */
export interface Watcher {
  /** Its deliveries since the last reset, or since its start. */
  readonly log: { readonly after: number; readonly seen: readonly MessageRef[] };
  /** The times at which it was notified of a `RESET`, as times of `performance.now()` in ms. */
  readonly resets: readonly number[];
  /** Resolves to true when the condition holds; to false after the timeout. Rejects if its subscription has failed. */
  until(condition: () => boolean, timeoutMs: number): Promise<boolean>;
}

export interface WatcherOptions {
  readonly operations: Operations;
  readonly roomId: string;
  /** The position to start from, and its `seq`. */
  readonly cursor: string;
  readonly after: number;
}

interface Page {
  readonly roomMessages: {
    readonly edges: readonly { readonly node: { readonly seq: number } }[];
    readonly liveCursor: string;
  };
}

interface RoomEvent {
  readonly cursor: string;
  readonly edge?: { readonly node: MessageRef };
  readonly gapReason?: string;
}

const PAGE = `query ($roomId: ID!) {
  roomMessages(roomId: $roomId, last: 1) { edges { node { seq } } liveCursor }
}`;
const MESSAGES = `subscription ($roomId: ID!, $after: String) {
  messageAdded(roomId: $roomId, after: $after) { node { seq clientMessageId } }
}`;
const EVENTS = `subscription ($roomId: ID!, $after: String) {
  roomEvents(roomId: $roomId, after: $after) {
    cursor
    ... on MessageAddedEvent { edge { node { seq clientMessageId } } }
    ... on HistoryGapEvent { gapReason }
  }
}`;

/** Watches with `messageAdded`. After `HISTORY_GAP` it fetches a page and subscribes again from there. */
export function watchMessages({ operations, roomId, cursor, after }: WatcherOptions): Watcher {
  const state = createState(after);
  const subscribe = (from: string): void =>
    void operations.start<{ messageAdded: { node: MessageRef } }>(
      MESSAGES,
      { roomId, after: from },
      {
        next: ({ messageAdded }) => state.see(messageAdded.node),
        ended: (errors) => (isReset(errors) ? void restart().catch(state.fail) : state.fail(errors)),
      },
    );
  async function restart(): Promise<void> {
    const at = performance.now();
    const { roomMessages: page } = await operations.request<Page>(PAGE, { roomId });
    state.reset(page.edges[0]?.node.seq ?? 0, at);
    subscribe(page.liveCursor);
  }
  subscribe(cursor);
  return state;
}

/** Watches with `roomEvents`, which reports the gap and continues from the new head. */
export function watchEvents({ operations, roomId, cursor, after }: WatcherOptions): Watcher {
  const state = createState(after);
  operations.start<{ roomEvents: RoomEvent }>(
    EVENTS,
    { roomId, after: cursor },
    {
      next({ roomEvents: { cursor: position, edge, gapReason } }) {
        if (edge) state.see(edge.node);
        else if (gapReason === 'RESET')
          state.reset(decodeMessageCursor(position, rowId('Room', roomId) ?? '', 'after').seq);
        else if (gapReason !== undefined) state.fail(gapReason);
      },
      ended: state.fail,
    },
  );
  return state;
}

function isReset(errors: readonly GraphQLError[] | null): boolean {
  const { code, reason } = errors?.[0]?.extensions ?? {};
  return code === 'HISTORY_GAP' && reason === 'RESET';
}

function createState(after: number) {
  let log: { after: number; seen: MessageRef[] } = { after, seen: [] };
  let failure: Error | null = null;
  const resets: number[] = [];
  const waiting = new Set<() => void>();
  const wake = (): void => {
    for (const check of waiting) check();
  };
  return {
    get log() {
      return log;
    },
    resets,
    see(message: MessageRef): void {
      log.seen.push(message);
      wake();
    },
    reset(from: number, at = performance.now()): void {
      log = { after: from, seen: [] };
      resets.push(at);
      wake();
    },
    fail(reason: unknown): void {
      failure ??=
        reason instanceof Error ? reason : new Error(`The subscription ended: ${JSON.stringify(reason)}`);
      wake();
    },
    until: (condition: () => boolean, timeoutMs: number) =>
      new Promise<boolean>((resolve, reject) => {
        const settle = (act: () => void): void => {
          clearTimeout(timer);
          waiting.delete(check);
          act();
        };
        const check = (): void => {
          if (failure) settle(() => reject(failure));
          else if (condition()) settle(() => resolve(true));
        };
        const timer = setTimeout(() => settle(() => resolve(false)), timeoutMs);
        waiting.add(check);
        check();
      }),
  };
}
