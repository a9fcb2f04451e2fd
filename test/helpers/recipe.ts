import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import type { Browser } from 'playwright-core';
import { codeBlockWith } from './code-blocks.js';
import { stopAtEnd } from './stopping.js';

/*
 * Runs a TypeScript block of the documentation as it stands, in Node and in Chromium. The names that the reader has to supply
 * are globals here; only the address of the server is replaced.
 */

/** What the reader of a recipe supplies, for TypeScript: the first block of docs/clients.md. */
export const RECIPE_GLOBALS = codeBlockWith('docs/clients.md', 'declare function currentToken');

/** The same, at run time, after one of the environments below, in a block of its own. */
const SUPPLIES = `
Object.assign(globalThis, {
  roomId,
  page: { liveCursor: after },
  currentToken: async () => (await unobservedFetch(tokenUrl)).text(),
  show: ({ text }) => report({ shown: text }),
  showPage: (messages) => report({ page: messages.map(({ text }) => text) }),
  showError: (error) => report({ shown: 'error: ' + (JSON.stringify(error) ?? String(error)) }),
});

// Outages are short in tests, so pauses are, too.
const { setTimeout: originalSetTimeout, fetch: unobservedFetch } = globalThis;
globalThis.setTimeout = (run, ms, ...rest) => originalSetTimeout(run, ms / 10, ...rest);

globalThis.WebSocket = class extends RealWebSocket {
  constructor(...options) {
    super(...options);
    this.addEventListener('open', () => report({ connected: true }));
    this.addEventListener('error', () => report({ refused: true }));
  }
};
globalThis.fetch = async (...options) => {
  try {
    const response = await unobservedFetch(...options);
    report({ connected: true });
    return response;
  } catch (error) {
    report({ refused: true });
    throw error;
  }
};
}
`;

const IN_NODE = `
import { WebSocket as NodeWebSocket } from 'ws';
{
const [roomId, after, tokenUrl] = process.argv.slice(2);
const report = (event) => process.stdout.write(JSON.stringify(event) + '\\n');
const RealWebSocket = NodeWebSocket;
`;

const IN_CHROMIUM = `
{
const { roomId, after } = Object.fromEntries(new URL(location.href).searchParams);
const { report } = window;
const tokenUrl = '/token';
const RealWebSocket = WebSocket;
`;

/** A recipe that is running. The lists grow. */
export interface RunningRecipe {
  /** The texts that are on the screen, errors included. */
  readonly screen: readonly string[];
  /** The number of connections that were opened and that failed to open. */
  readonly connected: () => number;
  readonly refused: () => number;
  stop(): Promise<void>;
}

export interface RecipeOptions {
  readonly block: string;
  /** The server, as `http://HOST:PORT/graphql`. */
  readonly url: string;
  readonly roomId: string;
  readonly after: string;
  /** Issues a valid token. */
  readonly currentToken: () => Promise<string>;
}

interface Report {
  readonly shown?: string;
  readonly page?: readonly string[];
  readonly connected?: true;
  readonly refused?: true;
}

function createScreen() {
  const screen: string[] = [];
  let connected = 0;
  let refused = 0;
  return {
    running: { screen, connected: () => connected, refused: () => refused },
    report(event: Report): void {
      if (event.page) screen.splice(0, screen.length, ...event.page);
      if (event.shown !== undefined) screen.push(event.shown);
      if (event.connected) connected += 1;
      if (event.refused) refused += 1;
    },
  };
}

async function bundle({ block, url }: RecipeOptions, platform: 'node' | 'browser'): Promise<string> {
  const contents = block.replaceAll('localhost:4000', new URL(url).host);
  if (contents === block) throw new Error('The block does not connect to localhost:4000.');
  const environment = platform === 'node' ? IN_NODE : IN_CHROMIUM;
  const source = (path: string) =>
    fileURLToPath(new URL(`../../packages/client/src/${path}`, import.meta.url));
  const { outputFiles } = await build({
    stdin: {
      contents: `${environment}${SUPPLIES}${contents}`,
      resolveDir: fileURLToPath(new URL('../..', import.meta.url)),
      loader: 'ts',
    },
    bundle: true,
    write: false,
    format: 'esm',
    platform,
    // `ws` requires Node's modules.
    ...(platform === 'node' ? { external: ['ws'] } : {}),
    alias: { 'parley-client': source('index.ts'), 'parley-client/http': source('http.ts') },
  });
  return outputFiles[0]?.text ?? '';
}

/** Serves the app's page and the tokens, as a frontend's own server does. */
async function startBackend({ currentToken }: RecipeOptions, html = ''): Promise<{ origin: string }> {
  const server = createServer(async ({ url }, response) => {
    if (url === '/token') response.end(await currentToken());
    else response.setHeader('content-type', 'text/html').end(html);
  }).listen(0, 'localhost');
  await once(server, 'listening');
  stopAtEnd(async () => server.close());
  // A server that listens on TCP has such an address.
  return { origin: `http://localhost:${(server.address() as AddressInfo).port}` };
}

export async function runInNode(options: RecipeOptions): Promise<RunningRecipe> {
  const { origin } = await startBackend(options);
  const { report, running } = createScreen();
  const arguments_ = [options.roomId, options.after, `${origin}/token`];
  const child = spawn(process.execPath, ['--input-type=module', '-', ...arguments_], {
    cwd: fileURLToPath(new URL('../..', import.meta.url)),
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const exited = once(child, 'exit');
  createInterface({ input: child.stdout }).on('line', (line) => report(JSON.parse(line)));
  child.stdin.end(await bundle(options, 'node'));
  const stop = async (): Promise<void> => {
    stopped();
    child.kill();
    await exited;
  };
  const stopped = stopAtEnd(stop);
  return { ...running, stop };
}

export async function runInChromium(browser: Browser, options: RecipeOptions): Promise<RunningRecipe> {
  const script = await bundle(options, 'browser');
  const { origin } = await startBackend(options, `<script type="module">${script}</script>`);
  const { report, running } = createScreen();
  const context = await browser.newContext();
  await context.exposeFunction('report', report);
  const page = await context.newPage();
  page.on('pageerror', (error) => report({ shown: `error: ${error.message}` }));
  const { roomId, after } = options;
  await page.goto(`${origin}/?${new URLSearchParams({ roomId, after })}`);
  return { ...running, stop: () => context.close() };
}
