import { createDeduplicator } from './deduplicator.js';
import { argumentOf, payloadOf, type Variables, valueAt } from './documents.js';
import { ParleyError, parleyErrorOf } from './errors.js';
import type { Run } from './operation.js';
import type { Result } from './result.js';
import type { EventShape, Path, Resumable } from './resumable.js';
import type { StatusTracker } from './status.js';
import type { OnHistoryGap, ResultObserver } from './types.js';

/** Where the room's history ends at present. */
const LIVE_CURSOR = 'query ($roomId: ID!) { roomMessages(roomId: $roomId, last: 0) { liveCursor } }';

export interface SubscriptionServices {
  /** For the subscription itself. */
  readonly subscribe: Run;
  /** For queries. */
  readonly request: (payload: { query: string; variables: Variables }) => Promise<Result>;
  readonly status: StatusTracker;
}

/**
 * Runs a subscription that continues after its last cursor whenever it is interrupted, and delivers nothing twice.
 *
 * @returns a function that ends it; the observer is not called any more then.
 */
export function startSubscription(
  { subscribe, request, status }: SubscriptionServices,
  resumable: Resumable,
  variables: Variables,
  observer: ResultObserver<unknown>,
): () => void {
  const { key, typename, shapes } = resumable;
  const deduplicator = createDeduplicator();
  let after = textOf(variables[resumable.after]);
  let stop = (): void => {};
  let isOver = false;

  const setBehind = (isBehind: boolean): void => status.setBehind(deduplicator, isBehind);

  function end(): void {
    isOver = true;
    stop();
    setBehind(false);
  }

  function complete(): void {
    end();
    observer.complete();
  }

  function fail(cause: unknown): void {
    if (isOver) return;
    end();
    const error = parleyErrorOf(cause);
    if (error.code === 'DISPOSED') observer.complete();
    else observer.error(error);
  }

  /**
   * Without a cursor, the subscription starts from now on. "Now" gets a cursor first: otherwise a cut before the first
   * event would move it.
   */
  async function begin(): Promise<void> {
    after ??= await liveCursor();
    if (isOver) return;
    stop = subscribe(
      {
        payload: payloadOf(resumable, variables),
        kind: 'subscription',
        variables() {
          // Only `roomEvents` reports when it has caught up.
          setBehind(typename !== null);
          return { ...variables, [resumable.after]: after };
        },
      },
      { next, error: onError, complete },
    );
  }

  /** Null if there is no such room: the subscription's own error says so. */
  async function liveCursor(): Promise<string | null> {
    const roomId = argumentOf(resumable.field, 'roomId', variables);
    const result = await request({ query: LIVE_CURSOR, variables: { roomId } });
    return textOf(valueAt(result.data, ['roomMessages', 'liveCursor']));
  }

  function next(result: Result): void {
    const event = valueAt(result.data, [key]);
    const type = typename ? String(valueAt(event, typename)) : '';
    const shape = shapes[type] ?? shapes[''];
    after = textOf(valueAt(event, shape?.cursor)) ?? after;
    if (type === 'CaughtUpEvent') setBehind(false);
    if (type === 'HistoryGapEvent') {
      setBehind(true);
      deduplicator.reset();
    }
    if (isNew(type, event, shape)) observer.next(result);
    if (type === 'HistoryGapEvent') observer.historyGap?.(gapError());
  }

  function isNew(type: string, event: unknown, { seq, revision }: Partial<EventShape> = {}): boolean {
    if (!seq) return true;
    const numberAt = (path: Path | null | undefined): number => Number(valueAt(event, path) ?? 0);
    return deduplicator.isNew(type === 'MessageChangedEvent', numberAt(seq), numberAt(revision));
  }

  function onError(error: ParleyError): void {
    if (error.code !== 'HISTORY_GAP' || !observer.historyGap) fail(error);
    else restart(error, observer.historyGap).catch(fail);
  }

  /** Takes the new cursor before the app reads its page: the two overlap rather than leave something out. */
  async function restart(gap: ParleyError, historyGap: OnHistoryGap): Promise<void> {
    setBehind(true);
    deduplicator.reset();
    after = null;
    after = await liveCursor();
    if (isOver) return;
    after = textOf(await historyGap(gap)) ?? after;
    await begin();
  }

  begin().catch(fail);
  return end;
}

function textOf(value: unknown): string | null {
  return typeof value === 'string' ? value : null;
}

function gapError(): ParleyError {
  return new ParleyError('HISTORY_GAP', 'The history has a gap: read a page again.');
}
