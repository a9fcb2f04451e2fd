import { assets } from './document.js';

/** Settings of Monaco, which reads them when GraphiQL's bundle is evaluated: the page loads this module before it. */

/** Monaco's workers, by the label that it gives them. */
const WORKERS = new Map([
  ['editorWorkerService', 'editor.worker.js'],
  ['json', 'json.worker.js'],
  ['graphql', 'graphql.worker.js'],
]);
self.MonacoEnvironment = {
  // response-editor.js uses it.
  globalAPI: true,
  getWorkerUrl: (_moduleId, label) => `${assets}${WORKERS.get(label)}`,
};
