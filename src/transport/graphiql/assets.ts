import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { Worker } from 'node:worker_threads';
import { brotliDecompress, gzip } from 'node:zlib';
import { once } from '../../lib/once.js';
import type { Encoding } from '../http/negotiation.js';
import { graphiqlPageScript } from './page.js';

const types = {
  css: 'text/css; charset=utf-8',
  js: 'text/javascript; charset=utf-8',
} as const;

export interface Asset {
  type: string;
  /** Made from the Brotli text, off the event loop; made once, but for `identity`, which next to nobody asks for. */
  body(encoding: Encoding): Promise<Buffer>;
}

export interface GraphiQLAssets {
  /** Of everything together: assets import each other by relative paths, so they share one versioned folder. */
  version: string;
  get(name: string): Asset | undefined;
}

/** What the worker is told, and what it answers. */
interface Sources {
  graphiqlBundle: string;
  graphqlWsClient: string;
  pageScript: string;
}

interface Prepared {
  version: string;
  files: Map<string, Uint8Array>;
}

/**
 * Runs in a thread of its own: evaluating the bundle (9 MB of strings) on the server's thread stopped every socket for
 * 0.4 s and kept 50 MB for good. JavaScript in a string, as a `.ts` worker could not be started from both `src` and `dist`.
 */
const prepare = `
const { createHash } = require('node:crypto');
const { readFileSync } = require('node:fs');
const { basename, dirname, join } = require('node:path');
const { brotliCompressSync, constants } = require('node:zlib');
const { parentPort, workerData: sources } = require('node:worker_threads');

const bundle = require(sources.graphiqlBundle);
const texts = {
  'graphiql.js': bundle.js,
  'graphiql.css': bundle.css,
  'editor.worker.js': bundle.editorWorkerService,
  'json.worker.js': bundle.jsonWorker,
  'graphql.worker.js': bundle.graphqlWorker,
  'page.js': sources.pageScript,
};

// graphql-ws' client and the chunks that it imports, under the names that it knows them by.
function addModule(path) {
  const text = texts[basename(path)] = readFileSync(path, 'utf8');
  for (const [, chunk] of text.matchAll(/from '[.][/]([\\w.-]+)'/g))
    if (!(chunk in texts)) addModule(join(dirname(path), chunk));
}
addModule(sources.graphqlWsClient);

const version = createHash('sha256');
const files = new Map();
for (const [name, text] of Object.entries(texts)) {
  version.update(name).update(text);
  files.set(name, brotliCompressSync(text, { params: {
    // 5: a third of a second for all; 9 takes three times as long for 5 % less, while the first visitor waits.
    [constants.BROTLI_PARAM_QUALITY]: 5,
    [constants.BROTLI_PARAM_LGWIN]: 22,
  } }));
}
parentPort.postMessage({ version: version.digest('base64url').slice(0, 16), files });
`;

/** Rejects where one of the two packages isn't there or isn't as expected. */
export async function loadGraphiQLAssets(): Promise<GraphiQLAssets> {
  const { version, files } = await runWorker(locateSources());
  const assets = new Map([...files].map(([name, brotli]) => [name, createAsset(name, Buffer.from(brotli))]));
  return { version, get: (name) => assets.get(name) };
}

function locateSources(): Sources {
  const { resolve } = createRequire(import.meta.url);
  return {
    graphiqlBundle: join(dirname(resolve('@graphql-yoga/render-graphiql')), 'graphiql.js'),
    graphqlWsClient: join(dirname(resolve('graphql-ws/client')), 'client.js'),
    pageScript: graphiqlPageScript,
  };
}

function runWorker(sources: Sources): Promise<Prepared> {
  return new Promise((resolve, reject) => {
    const worker = new Worker(prepare, { eval: true, execArgv: [], workerData: sources });
    worker.once('message', resolve);
    worker.once('error', reject);
    worker.once('exit', (code) =>
      reject(new Error(`GraphiQL's assets could not be prepared (exit ${code})`)),
    );
    worker.unref();
  });
}

function createAsset(name: string, brotli: Buffer): Asset {
  const text = () => promisify(brotliDecompress)(brotli);
  const gzipped = once(async () => promisify(gzip)(await text()));
  return {
    type: name.endsWith('.css') ? types.css : types.js,
    body: async (encoding) => (encoding === 'br' ? brotli : encoding === 'gzip' ? gzipped() : text()),
  };
}
