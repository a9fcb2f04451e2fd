/** @import { GraphQLRequest, Headers, Observable } from './graphiql.js' */
import { authorize } from './authorization.js';
import { createClient } from './client.js';
import { explainClose, explainError, isUnavailable } from './explain.js';
import { propertyOf } from './property-of.js';
import { createResultList } from './result-list.js';
import { retryWait } from './retry-wait.js';
import { hideStatus, showStatus } from './status.js';

const PING_INTERVAL_MS = 10_000;
/** Time that the server has to answer a ping, or to accept a connection. */
const ANSWER_TIMEOUT_MS = 10_000;

const MISSING_EVENTS =
  'Events in the meantime will be missing: only an operation with the variable $after resumes, from its first event on.';

/**
 * Runs subscriptions over WebSocket. They reconnect until they are stopped, and show their state below the results.
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
          const stopping = new AbortController();
          const { signal } = stopping;
          const results = createResultList((view) => observer.next(view));
          let unsubscribe = () => {};
          /** When the connection broke, unless there is one. */
          let lostAt = '';
          let attempts = 0;
          /** @type {ReturnType<typeof setTimeout> | undefined} */
          let deadline;

          const client = createClient({
            url: endpoint.href.replace(/^http/, 'ws'),
            connectionParams: () => authorize(currentHeaders(headers)),
            retryAttempts: Infinity,
            // By default, the client gives up when a connection is refused.
            shouldRetry: () => true,
            retryWait: (attempt) => retryWait(attempt, signal),
            keepAlive: PING_INTERVAL_MS,
            on: {
              connecting: () => {
                expectAnswer();
                if (!lostAt) showStatus('waiting', 'Connecting …');
              },
              connected: () => {
                clearTimeout(deadline);
                if (signal.aborted) return;
                lostAt = '';
                showLive();
              },
              // A network that has gone silent closes no socket.
              ping: (isReceived) => {
                if (!isReceived) expectAnswer();
              },
              pong: (isReceived) => {
                if (isReceived) clearTimeout(deadline);
              },
              closed: (event) => {
                clearTimeout(deadline);
                if (!signal.aborted) showLost(explainClose(event));
              },
            },
          });

          function expectAnswer() {
            deadline = setTimeout(() => client.terminate(), ANSWER_TIMEOUT_MS);
          }

          function showLive() {
            showStatus('live', 'Connected. New events appear here, the newest one last.');
          }

          /** @param {string} why */
          function showLost(why) {
            lostAt ||= new Date().toLocaleTimeString();
            const missing = isResumable && request.variables?.after ? '' : ` ${MISSING_EVENTS}`;
            showStatus('waiting', `${why} Reconnecting since ${lostAt} …${missing}`);
          }

          function stop() {
            stopping.abort();
            results.stop();
            unsubscribe();
            hideStatus();
          }

          /** @param {unknown} cause */
          function fail(cause) {
            results.end(explainError(cause));
            stop();
            observer.complete();
          }

          function start() {
            if (signal.aborted) return;
            unsubscribe = client.subscribe(request, {
              next(result) {
                attempts = 0;
                if (lostAt) showLive();
                lostAt = '';
                // After a lost connection, the client subscribes again with this very object.
                const cursor = propertyOf(Object.values(result.data ?? {})[0], 'cursor');
                if (isResumable && cursor) request.variables = { ...request.variables, after: cursor };
                results.add(result);
              },
              error(cause) {
                if (!isUnavailable(cause)) return fail(cause);
                showLost('The server is temporarily unavailable.');
                retryWait(attempts++, signal).then(start);
              },
              complete() {
                if (signal.aborted) return;
                results.end();
                stop();
                observer.complete();
              },
            });
          }

          start();
          return { unsubscribe: stop };
        },
      };
    },

    /** @param {string} text */
    onEditHeaders(text) {
      editedHeaders = text;
    },
  };
}
