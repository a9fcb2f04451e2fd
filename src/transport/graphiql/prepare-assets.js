/** @import { PreparedAssets } from './assets.js' */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { basename } from 'node:path';
import { parentPort } from 'node:worker_threads';
import { brotliCompressSync, constants } from 'node:zlib';
import {
  css,
  editorWorkerService,
  graphqlWorker,
  js,
  jsonWorker,
} from '@graphql-yoga/render-graphiql/graphiql';

/**
 * The worker thread of assets.ts: collects and compresses all files that the page loads, posts them, and ends. Evaluating
 * Yoga's bundle (9 MB of strings) on the server's thread stopped every socket for 0.4 s and kept 50 MB for good.
 *
 * JavaScript, because a worker is loaded by Node itself, which cannot start a `.ts` file from `src`.
 */

const texts = new Map([
  ['graphiql.js', js],
  ['graphiql.css', css],
  ['editor.worker.js', editorWorkerService],
  ['json.worker.js', jsonWorker],
  ['graphql.worker.js', graphqlWorker],
]);
// First, since the page imports it by this name.
addModule(new URL(import.meta.resolve('graphql-ws/client')));
addModule(new URL('./browser/monaco.js', import.meta.url));
addModule(new URL('./browser/page.js', import.meta.url));

/**
 * Adds a module and, under the names by which it knows them, those that it imports from its own folder.
 *
 * @param {URL} url
 */
function addModule(url) {
  const text = readFileSync(url, 'utf8');
  texts.set(basename(url.pathname), text);
  for (const [, name = ''] of text.matchAll(/^(?:import|export)\b[^;]* from '\.\/([\w.-]+)'/gm))
    if (!texts.has(name)) addModule(new URL(name, url));
}

const OPTIONS = {
  params: {
    // Quality 5 takes 0.3 s for all files. 9 takes three times as long for 5 % less, while the first visitor waits.
    [constants.BROTLI_PARAM_QUALITY]: 5,
    [constants.BROTLI_PARAM_LGWIN]: 22,
  },
};

/** @returns {PreparedAssets} */
function prepare() {
  const version = createHash('sha256');
  const files = new Map();
  for (const [name, text] of texts) {
    version.update(name).update(text);
    files.set(name, brotliCompressSync(text, OPTIONS));
  }
  return { version: version.digest('base64url').slice(0, 16), files };
}

parentPort?.postMessage(prepare());
