import { type Edge, MESSAGE_ADDED, type Person, type Result } from './client.js';
import { stopAtEnd } from './stopping.js';

/** A server-sent event as received; comments (`:`) are left out. */
export interface StreamEvent {
  readonly event: string;
  /** The data of a `next` event; null for `complete`. */
  readonly result: Result<{ messageAdded: Edge }> | null;
}

/** A subscription with fetch, in the "distinct connections" mode of the GraphQL over SSE protocol. */
export interface EventStream {
  readonly response: Response;
  /** All events received so far. */
  readonly events: readonly StreamEvent[];
  /** Resolves to the first `count` events; rejects if the stream ends before. */
  received(count: number): Promise<readonly StreamEvent[]>;
  /** Resolves when the body ends: to `false` if the connection broke or was aborted before its regular end. */
  readonly ended: Promise<boolean>;
  /** Aborts the fetch. */
  abort(): void;
}

/**
 * Resolves when the response begins; the controller can also abort it before. It is aborted at the end of the test file at the
 * latest.
 */
export async function openEventStream(
  url: string,
  person: Pick<Person, 'token'> | null,
  variables: object,
  query = MESSAGE_ADDED,
  controller = new AbortController(),
): Promise<EventStream> {
  const response = await fetch(url, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      accept: 'text/event-stream',
      ...(person ? { authorization: `Bearer ${person.token}` } : {}),
    },
    body: JSON.stringify({ query, variables }),
    signal: controller.signal,
  });
  const events: StreamEvent[] = [];
  const waiting = new Set<() => void>();
  let isOver = false;
  const check = (): void => {
    for (const waiter of [...waiting]) waiter();
  };

  async function read(): Promise<boolean> {
    let rest = '';
    try {
      for await (const text of (response.body ?? new ReadableStream()).pipeThrough(new TextDecoderStream())) {
        const blocks = (rest + text).split('\n\n');
        rest = blocks.pop() ?? '';
        events.push(...blocks.flatMap(parseEvent));
        check();
      }
      return true;
    } catch {
      return false;
    } finally {
      isOver = true;
      check();
    }
  }

  const ended = read();
  const stop = stopAtEnd(async () => controller.abort());
  void ended.then(stop);
  return {
    response,
    events,
    ended,
    abort: () => controller.abort(),
    received: (count) =>
      new Promise((resolve, reject) => {
        const waiter = (): void => {
          if (events.length < count && !isOver) return;
          waiting.delete(waiter);
          if (events.length >= count) resolve(events.slice(0, count));
          else reject(new Error(`Ended before ${count} events: ${JSON.stringify(events)}`));
        };
        waiting.add(waiter);
        waiter();
      }),
  };
}

/** Parses a text that ends with a complete event. */
export function parseEvents(text: string): StreamEvent[] {
  return text.split('\n\n').flatMap(parseEvent);
}

/** Empty for a comment. */
function parseEvent(block: string): StreamEvent[] {
  const fields = block.split('\n').flatMap((line) => {
    const [, name, value] = /^(\w+): ?(.*)$/.exec(line) ?? [];
    return name === undefined ? [] : [{ name, value: value ?? '' }];
  });
  if (fields.length === 0) return [];
  const fieldOf = (wanted: string) =>
    fields
      .filter(({ name }) => name === wanted)
      .map(({ value }) => value)
      .join('\n');
  const data = fieldOf('data');
  // The test that reads the event checks it.
  return [
    {
      event: fieldOf('event'),
      result: data === '' ? null : (JSON.parse(data) as StreamEvent['result']),
    },
  ];
}
