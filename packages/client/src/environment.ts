import type { WebSocketConstructor } from './sockets.js';

/** What is used of the global scope: `fetch` is everywhere, the rest only in some environments. */
interface Environment {
  readonly fetch: typeof fetch;
  readonly WebSocket?: WebSocketConstructor;
  readonly location?: { readonly href: string };
  addEventListener?(type: string, listener: () => void, options: { signal: AbortSignal }): void;
}

export const environment: Environment = globalThis;

/**
 * Reports when the browser goes on- or offline, and when the tab is hidden or becomes visible: the connection may be
 * gone without a close event, or may be possible again. Does nothing where there is no browser.
 *
 * @returns a function that removes the listeners.
 */
export function watchNetwork(listener: () => void): () => void {
  const controller = new AbortController();
  for (const type of ['online', 'offline', 'visibilitychange'])
    environment.addEventListener?.(type, listener, controller);
  return () => controller.abort();
}

/** Resolves a path against the page's address. */
export function absolute(url: string): string {
  return new URL(url, environment.location?.href).href;
}
