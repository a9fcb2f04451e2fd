/** @import { GraphQLRequest, Headers, Observable } from './graphiql.js' */
import { authorize } from './authorization.js';
import { createClient } from './client.js';
import { propertyOf } from './property-of.js';

/**
 * Runs subscriptions over WebSocket.
 *
 * @param {URL} endpoint
 */
export function createSubscriber(endpoint) {
  /**
   * Content of the Headers pane since the last subscription started: it is used when that one reconnects. It always belongs
   * to that subscription's tab, since GraphiQL ends a subscription when its tab is left.
   *
   * @type {string | undefined}
   */
  let editedHeaders;

  /**
   * @param {Headers} initialHeaders
   * @returns {Headers}
   */
  function currentHeaders(initialHeaders) {
    try {
      return editedHeaders === undefined ? initialHeaders : JSON.parse(editedHeaders || '{}');
    } catch {
      return initialHeaders; // The JSON is still being typed.
    }
  }

  return {
    /**
     * Each run has a client, and so a socket, of its own: it must never use a socket that was opened with an older token.
     *
     * @param {GraphQLRequest} request
     * @param {Headers} headers
     * @param {boolean} isResumable whether the operation takes the cursor `$after`.
     * @returns {Observable}
     */
    subscribe(request, headers, isResumable) {
      editedHeaders = undefined;
      return {
        subscribe(observer) {
          const client = createClient({
            url: endpoint.href.replace(/^http/, 'ws'),
            connectionParams: () => authorize(currentHeaders(headers)),
          });
          const unsubscribe = client.subscribe(request, {
            next(result) {
              // After a lost connection, the client subscribes again with this very object.
              const cursor = propertyOf(Object.values(result.data ?? {})[0], 'cursor');
              if (isResumable && cursor) request.variables = { ...request.variables, after: cursor };
              observer.next(result);
            },
            error: (cause) => observer.error(displayable(cause)),
            complete: () => observer.complete(),
          });
          return { unsubscribe };
        },
      };
    },

    /** @param {string} text */
    onEditHeaders(text) {
      editedHeaders = text;
    },
  };
}

/**
 * GraphiQL would display a close event as {"isTrusted": true}.
 *
 * @param {unknown} cause
 */
function displayable(cause) {
  const code = propertyOf(cause, 'code');
  if (typeof code !== 'number') return cause;
  return [{ message: `The socket was closed: ${code} ${propertyOf(cause, 'reason')}`.trim() }];
}
