/* What a recipe finds in Node and in Chromium: the names that its reader supplies, and a network that is observed. */

export interface Message {
  readonly text: string;
  readonly seq: number;
}

/** What happens while a recipe runs. */
export type Report =
  | { readonly event: 'error'; readonly message: string }
  | { readonly event: 'shown'; readonly texts: readonly string[] }
  | { readonly event: 'subscriptions'; readonly open: number };

export interface Environment {
  readonly roomId: string;
  /** The cursor that an incomplete recipe subscribes after. */
  readonly after: string;
  readonly tokenUrl: string;
  /** How much faster timers run: outages are short in tests, so pauses are, too. */
  readonly speed: number;
  readonly WebSocket: typeof WebSocket;
  report(report: Report): void;
  show(messages: readonly Message[]): void;
}

export function supply({ roomId, after, tokenUrl, speed, report, show, ...network }: Environment): void {
  const { setTimeout: originalSetTimeout, fetch: unobservedFetch } = globalThis;
  const shown: Message[] = [];

  async function currentToken(): Promise<string> {
    for (;;)
      try {
        return await (await unobservedFetch(tokenUrl)).text();
      } catch {
        await new Promise((resolve) => originalSetTimeout(resolve, 100));
      }
  }

  Object.assign(globalThis, {
    roomId,
    page: { liveCursor: after },
    currentToken,
    show(messages: Message | readonly Message[]) {
      if ('text' in messages) {
        shown.push(messages);
        show(shown);
      } else show(messages);
    },
    showError(error: unknown) {
      const message = error instanceof Error ? error.message : JSON.stringify(error);
      report({ event: 'error', message });
    },
    setTimeout: (run: () => void, ms = 0, ...rest: []) => originalSetTimeout(run, ms / speed, ...rest),
    WebSocket: observed(network.WebSocket, report),
    async fetch(...options: Parameters<typeof fetch>) {
      const response = await unobservedFetch(...options);
      if (!response.headers.get('content-type')?.startsWith('text/event-stream') || !response.body)
        return response;
      const [observed, body] = response.body.tee();
      void countStream(observed, report);
      return new Response(body, response);
    },
  });
}

let openStreams = 0;

/** Counts an event stream until it ends. */
async function countStream(stream: ReadableStream<Uint8Array>, report: Environment['report']): Promise<void> {
  openStreams += 1;
  report({ event: 'subscriptions', open: openStreams });
  await stream.pipeTo(new WritableStream()).catch(() => {});
  openStreams -= 1;
  report({ event: 'subscriptions', open: openStreams });
}

/** A WebSocket that reports how many subscriptions are open on all connections. */
function observed(Socket: typeof WebSocket, report: Environment['report']): typeof WebSocket {
  const open = new Map<WebSocket, Set<string>>();
  const count = (): void => {
    const subscriptions = [...open.values()].reduce((sum, ids) => sum + ids.size, 0);
    report({ event: 'subscriptions', open: subscriptions });
  };
  return class extends Socket {
    constructor(...options: ConstructorParameters<typeof WebSocket>) {
      super(...options);
      this.addEventListener('open', () => open.set(this, new Set()));
      this.addEventListener('close', () => {
        open.delete(this);
        count();
      });
      this.addEventListener('message', ({ data }) => {
        const { type, id } = JSON.parse(data);
        if ((type === 'complete' || type === 'error') && open.get(this)?.delete(id)) count();
      });
    }

    override send(data: string): void {
      super.send(data);
      const { type, id, payload } = JSON.parse(data);
      if (type === 'subscribe' && /\bsubscription\b/.test(payload.query)) open.get(this)?.add(id);
      else if (type === 'complete') open.get(this)?.delete(id);
      else return;
      count();
    }
  };
}
