import { type Client, createClient } from 'graphql-ws';
import { createBackoff } from './backoff.js';
import { type Close, errorOfClose, isExpiry, isFinal, readClose, TOKEN_EXPIRED } from './close-codes.js';
import type { Payload } from './documents.js';
import { absolute, environment, watchNetwork } from './environment.js';
import { errorOf, outcomeUnknown, ParleyError } from './errors.js';
import type { Run } from './operation.js';
import { createSockets, type Sockets, type WebSocketConstructor } from './sockets.js';
import type { StatusTracker } from './status.js';
import {
  CONNECT_TIMEOUT_MS,
  IDLE_TIMEOUT_MS,
  PING_INTERVAL_MS,
  PONG_TIMEOUT_MS,
  STABLE_MS,
} from './timing.js';
import { resolveToken, type TokenSource } from './token.js';

export interface ConnectionOptions {
  readonly url: string;
  readonly token?: TokenSource;
  readonly webSocket?: WebSocketConstructor | undefined;
  readonly maxRetryDelayMs?: number | undefined;
}

/** One WebSocket for all operations, which is opened with the first of them and reopened after each cut. */
export interface Connection {
  readonly run: Run;
  /** Closes the socket and opens a new one with a fresh token. */
  reconnect(): void;
  /** To be called when no operation runs any more. */
  dispose(): void;
}

/** Ends an operation with an error, or reports that the connection was cut. */
type Interrupt = (error: ParleyError | null) => void;

export function createConnection(options: ConnectionOptions, status: StatusTracker): Connection {
  const backoff = createBackoff(options.maxRetryDelayMs);
  const running = new Set<Interrupt>();
  let client: Client | null = null;
  let sockets: Sockets | null = null;
  /** Runs while something must arrive in time. */
  let timer: ReturnType<typeof setTimeout> | undefined;
  let phase: 'idle' | 'connecting' | 'open' = 'idle';
  let openedAt = 0;
  let operations = 0;
  let token: string | null = null;
  let hasExpired = false;
  let onOperation = (): void => {};
  let unwatch: (() => void) | null = null;

  /** Not before the first operation, so that a client can be created where there is no WebSocket. */
  function open(): Client {
    const WebSocket = options.webSocket ?? environment.WebSocket;
    if (!WebSocket) throw new Error('No WebSocket here: set `webSocket`.');
    const url = absolute(options.url).replace(/^http/, 'ws');
    sockets = createSockets(WebSocket);
    return createClient({
      url: () => nextAttempt(url),
      webSocketImpl: sockets.WebSocket,
      connectionParams: () => (token ? { authorization: `Bearer ${token}` } : {}),
      lazyCloseTimeout: IDLE_TIMEOUT_MS,
      keepAlive: PING_INTERVAL_MS,
      retryAttempts: Infinity,
      // A refused connection is reported as an `Event`, which graphql-ws does not retry by default.
      shouldRetry: () => true,
      retryWait: () => backoff.wait(),
      // Each event carries the id, so it is short.
      generateID() {
        operations += 1;
        return `${operations}`;
      },
      on: {
        connecting() {
          if (!backoff.isFailing) status.set('connecting');
        },
        connected() {
          phase = 'open';
          openedAt = performance.now();
          hasExpired = false;
          stopTimer();
          // After the subscriptions have been sent, which may be behind.
          setTimeout(() => phase === 'open' && status.set('live'));
        },
        message() {
          if (timer) expect(PONG_TIMEOUT_MS);
        },
        ping(isReceived) {
          if (!isReceived) expect(PONG_TIMEOUT_MS);
        },
        pong(isReceived) {
          if (isReceived) stopTimer();
        },
        // A socket that breaks reports an error, then a close: the first counts.
        error: onLost,
        closed: onLost,
      },
    });
  }

  /** Drops the connection unless something arrives within the time. */
  function expect(ms: number): void {
    clearTimeout(timer);
    timer = setTimeout(drop, ms);
  }

  function stopTimer(): void {
    clearTimeout(timer);
    timer = undefined;
  }

  /**
   * Resolves with the address when the next attempt is due and its token is there. It must not reject, since graphql-ws
   * would never connect again. The token is asked for before the socket is opened: the server waits 3 s for it.
   */
  async function nextAttempt(url: string): Promise<string> {
    for (;;) {
      await backoff.wait();
      if (running.size === 0)
        await new Promise<void>((resolve) => {
          onOperation = resolve;
        });
      try {
        const fresh = await resolveToken(options.token, hasExpired);
        if (fresh === null && hasExpired) {
          giveUp(TOKEN_EXPIRED);
        } else if (running.size > 0) {
          token = fresh;
          phase = 'connecting';
          expect(CONNECT_TIMEOUT_MS);
          return url;
        }
      } catch (cause) {
        backoff.fail();
        status.set('offline', new ParleyError('CONNECTION_LOST', 'No token yet.', { cause }));
      }
    }
  }

  function onLost(event: unknown): void {
    if (phase === 'idle') return;
    const close = readClose(event);
    const wasOpen = phase === 'open';
    phase = 'idle';
    stopTimer();
    if (wasOpen) for (const interrupt of [...running]) interrupt(null);
    if (isExpiry(close)) hasExpired = true;
    const isPlanned = isExpiry(close) || performance.now() - openedAt > STABLE_MS;
    if (running.size === 0 || (wasOpen && isPlanned)) backoff.reset();
    if (running.size === 0) stopWatching();
    else if (isFinal(close) || (isExpiry(close) && typeof options.token !== 'function')) giveUp(close);
    else {
      backoff.fail();
      status.set(wasOpen ? 'connecting' : 'offline', errorOfClose(close, false));
    }
  }

  function giveUp(close: Close): void {
    const error = errorOfClose(close, true);
    hasExpired = false;
    backoff.reset();
    status.set(error.code === 'UNAUTHENTICATED' ? 'signed-out' : 'offline', error);
    for (const interrupt of [...running]) interrupt(error);
  }

  /** Ends a connection that is dead or that takes too long, without waiting for the network. */
  function drop(): void {
    client?.terminate();
  }

  /** Retries at once, or finds out whether the connection is alive. */
  function onNetwork(): void {
    backoff.reset();
    if (phase === 'open' && sockets?.ping()) expect(PONG_TIMEOUT_MS);
  }

  function stopWatching(): void {
    unwatch?.();
    unwatch = null;
  }

  const run: Run = ({ payload, kind, variables }, sink) => {
    client ??= open();
    const { subscribe } = client;
    unwatch ??= watchNetwork(onNetwork);
    let unsubscribe = (): void => {};
    /** What a cut means: nothing, as long as the operation may be sent again. */
    let onCut = (): void => {};

    /** Returns whether the operation was still running. */
    function end(): boolean {
      if (!running.delete(interrupt)) return false;
      if (running.size === 0 && phase === 'idle') stopWatching();
      unsubscribe();
      return true;
    }
    function complete(): void {
      if (end()) sink.complete();
    }
    function fail(error: ParleyError): void {
      if (end()) sink.error(error);
    }
    const interrupt: Interrupt = (error) => (error ? fail(error) : onCut());

    // graphql-ws keeps this object and makes JSON of it each time that it sends the operation.
    const request = {
      query: payload.query,
      toJSON(): Payload {
        if (kind === 'once') onCut = () => fail(outcomeUnknown());
        return variables ? { ...payload, variables: variables() } : payload;
      },
    };
    const start = (): void => {
      unsubscribe = subscribe(request, {
        next(result) {
          if (!running.has(interrupt)) return;
          if (kind !== 'subscription') onCut = complete;
          sink.next(result);
        },
        error(error) {
          if (Array.isArray(error)) fail(errorOf({ errors: error }));
          // graphql-ws gives up after more codes than the server's table says.
          else if (running.has(interrupt)) start();
        },
        complete,
      });
    };
    running.add(interrupt);
    start();
    onOperation();
    return end;
  };

  return {
    run,
    reconnect() {
      drop();
      backoff.reset();
    },
    dispose() {
      stopWatching();
      stopTimer();
      backoff.reset();
      // It rejects if it was about to connect.
      void Promise.resolve(client?.dispose()).catch(() => {});
    },
  };
}
