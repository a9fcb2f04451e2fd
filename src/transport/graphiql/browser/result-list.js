/** @import { GraphQLResult } from './graphiql.js' */
import { followEnd } from './response-editor.js';

/** Number of results that a subscription keeps visible. */
const MAX_RESULTS = 50;
/** Minimum time between two displays in ms, since GraphiQL renders the whole list each time. */
const DISPLAY_INTERVAL_MS = 50;

/**
 * Collects the results of a subscription, which GraphiQL would replace by each other, and displays the last ones.
 *
 * @param {(view: object) => void} display shows an object as JSON in the response pane.
 */
export function createResultList(display) {
  /** @type {GraphQLResult[]} */
  const results = [];
  let received = 0;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let timer;

  /** @param {readonly { readonly message: string }[]} [errors] */
  function show(errors) {
    timer = undefined;
    followEnd(() => display({ ...(received > 0 && { received, results }), ...(errors && { errors }) }));
  }

  function stop() {
    clearTimeout(timer);
    timer = undefined;
  }

  return {
    /** @param {GraphQLResult} result */
    add(result) {
      received++;
      results.push(result);
      if (results.length > MAX_RESULTS) results.shift();
      timer ??= setTimeout(show, DISPLAY_INTERVAL_MS);
    },

    /**
     * Displays all results, and the errors that ended the subscription, if any.
     *
     * @param {readonly { readonly message: string }[]} [errors]
     */
    end(errors) {
      const isPending = timer !== undefined;
      stop();
      if (isPending || errors) show(errors);
    },

    /** Displays nothing more. */
    stop() {
      const isPending = timer !== undefined;
      stop();
      if (isPending) show();
    },
  };
}
