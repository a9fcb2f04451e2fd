/** What is used of a WebSocket. */
export interface WebSocketLike {
  readonly readyState: number;
  onmessage: unknown;
  onclose: unknown;
  onerror: unknown;
  send(data: string): void;
  close(code?: number, reason?: string): void;
  addEventListener(type: 'error', listener: () => void): void;
}

/** A WebSocket class: the browser's, or that of the package `ws`. */
export type WebSocketConstructor = new (url: string, protocols: string) => WebSocketLike;

const OPEN = 1;
const PING = '{"type":"ping"}';

/**
 * Keeps earlier sockets from interfering with the latest one. graphql-ws does not distinguish which socket an event comes
 * from: a late close of an earlier socket would end the new connection, and a late message would count as a new one.
 */
export interface Sockets {
  /** For graphql-ws. */
  readonly WebSocket: WebSocketConstructor;
  /** Sends a ping of the protocol, if the latest socket is open. */
  ping(): boolean;
}

export function createSockets(Base: WebSocketConstructor): Sockets {
  let latest: WebSocketLike | null = null;
  return {
    WebSocket: class extends Base {
      constructor(url: string, protocols: string) {
        super(url, protocols);
        // With `ws`, an error that nobody listens to would end the process.
        this.addEventListener('error', () => {});
        if (latest) {
          latest.onmessage = latest.onclose = latest.onerror = null;
          latest.close();
        }
        latest = this;
      }
    },
    ping() {
      if (latest?.readyState !== OPEN) return false;
      latest.send(PING);
      return true;
    },
  };
}
