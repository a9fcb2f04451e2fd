import { promisify } from 'node:util';
import { Worker } from 'node:worker_threads';
import { brotliDecompress, gzip } from 'node:zlib';
import { once } from '../../lib/once.js';
import type { Encoding } from '../http/negotiation.js';

const CONTENT_TYPES = {
  css: 'text/css; charset=utf-8',
  js: 'text/javascript; charset=utf-8',
} as const;

export interface Asset {
  type: string;
  /** Derived from the Brotli form at the first request for it, off the event loop. All responses share one buffer. */
  body(encoding: Encoding): Promise<Buffer>;
}

export interface GraphiQLAssets {
  /** One for all assets: they import each other by relative paths, so they share one versioned folder. */
  version: string;
  get(name: string): Asset | undefined;
}

/** The message of the worker, prepare-assets.js. */
export interface PreparedAssets {
  version: string;
  /** Compressed with Brotli, by name. */
  files: Map<string, Uint8Array>;
}

/** Rejects if one of the two packages is missing or has changed. */
export async function loadGraphiQLAssets(): Promise<GraphiQLAssets> {
  const { version, files } = await prepareAssets();
  const assets = new Map([...files].map(([name, brotli]) => [name, createAsset(name, Buffer.from(brotli))]));
  return { version, get: (name) => assets.get(name) };
}

function prepareAssets(): Promise<PreparedAssets> {
  return new Promise((resolve, reject) => {
    const worker = new Worker(new URL('./prepare-assets.js', import.meta.url), { execArgv: [] });
    worker.once('message', resolve);
    worker.once('error', reject);
    worker.once('exit', (code) =>
      reject(new Error(`GraphiQL's assets could not be prepared (exit ${code})`)),
    );
    worker.unref();
  });
}

function createAsset(name: string, brotli: Buffer): Asset {
  const text = once(() => promisify(brotliDecompress)(brotli));
  const gzipped = once(async () => promisify(gzip)(await text()));
  return {
    type: name.endsWith('.css') ? CONTENT_TYPES.css : CONTENT_TYPES.js,
    body: async (encoding) => (encoding === 'br' ? brotli : encoding === 'gzip' ? gzipped() : text()),
  };
}
