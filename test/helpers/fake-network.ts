import type { WebSocketConstructor } from '../../packages/client/src/index.js';

/** A frame of the graphql-transport-ws protocol. */
export interface Frame {
  readonly type: string;
  readonly id?: string;
  readonly payload?: { readonly query?: string; readonly variables?: object } & Readonly<
    Record<string, unknown>
  >;
}

type Handler = ((event: object) => void) | null;

/** A WebSocket without a network: the test is the server. */
export class FakeSocket {
  static readonly CONNECTING = 0;
  static readonly OPEN = 1;
  static readonly CLOSING = 2;
  static readonly CLOSED = 3;

  readyState = FakeSocket.CONNECTING;
  onopen: Handler = null;
  onmessage: Handler = null;
  onerror: Handler = null;
  onclose: Handler = null;
  /** What the client has sent. */
  readonly sent: Frame[] = [];
  answersPings = true;
  /** The code that the client closed it with. */
  closedWith: number | undefined;

  constructor(readonly url: string) {}

  addEventListener(): void {}

  send(data: string): void {
    const frame: Frame = JSON.parse(data);
    this.sent.push(frame);
    if (frame.type === 'ping' && this.answersPings) queueMicrotask(() => this.receive({ type: 'pong' }));
  }

  close(code = 1005): void {
    if (this.readyState >= FakeSocket.CLOSING) return;
    this.readyState = FakeSocket.CLOSING;
    this.closedWith = code;
  }

  /** Opens it and acknowledges the connection, as a server does. */
  accept(): void {
    this.readyState = FakeSocket.OPEN;
    this.onopen?.({ type: 'open' });
    this.receive({ type: 'connection_ack' });
  }

  receive(frame: Frame | object): void {
    this.onmessage?.({ data: JSON.stringify(frame) });
  }

  /** Closes it, with an error event before if the connection was refused or broke. */
  drop(code: number, reason = ''): void {
    this.readyState = FakeSocket.CLOSED;
    if (code === 1006) this.onerror?.({ type: 'error' });
    this.onclose?.({ code, reason, wasClean: code !== 1006 });
  }

  /** The operations that the client has sent. */
  get subscribed(): readonly Frame[] {
    return this.sent.filter(({ type }) => type === 'subscribe');
  }

  /** Sends a frame for the latest operation whose query contains the text. */
  answer(queryPart: string, type: 'next' | 'error' | 'complete', payload?: object): void {
    const operation = this.subscribed.findLast(({ payload: sent }) => sent?.query?.includes(queryPart));
    if (!operation) throw new Error(`No operation was sent with ${queryPart}`);
    this.receive({ id: operation.id, type, ...(payload && { payload }) });
  }
}

export interface FakeNetwork {
  readonly WebSocket: WebSocketConstructor;
  /** All sockets, in the order in which they were opened. */
  readonly sockets: readonly FakeSocket[];
  /** The latest socket. */
  readonly socket: FakeSocket;
}

export function createFakeNetwork(): FakeNetwork {
  const sockets: FakeSocket[] = [];
  return {
    WebSocket: class extends FakeSocket {
      constructor(url: string) {
        super(url);
        sockets.push(this);
      }
    },
    sockets,
    get socket() {
      const latest = sockets.at(-1);
      if (!latest) throw new Error('No socket has been opened');
      return latest;
    },
  };
}
