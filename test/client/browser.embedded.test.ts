import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import type { Browser, BrowserContext, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test, vi } from 'vitest';
import { launchChromium } from '../helpers/chromium.js';
import { at, createRoom, type Person, page as readPage, send, signUp } from '../helpers/client.js';
import { startParley, startSibling, type TestParley } from '../helpers/parley.js';

// On a small machine, Chromium takes seconds to open the page, and minutes to install where it is missing.
vi.setConfig({ testTimeout: 60_000, hookTimeout: 300_000 });
const WAIT = { timeout: 20_000, interval: 50 };

/** An app, which a development server serves from an origin of its own. */
const APP = `
  import { parse } from 'graphql';
  import { createParleyClient } from 'parley-client';

  const { url, token, roomId, after } = Object.fromEntries(new URL(location.href).searchParams);
  window.statuses = [];
  window.messages = [];
  const client = createParleyClient({ url, token, onStatus: (status) => statuses.push(status) });
  const document = parse(\`subscription ($roomId: ID!, $after: String) {
    messageAdded(roomId: $roomId, after: $after) { cursor node { seq text } }
  }\`);
  client.subscribe(document, { roomId, after }, {
    next: ({ messageAdded: { node } }) => messages.push(node.text),
    error: (error) => messages.push(error.message),
  });
`;

let browser: Browser;
/** From a server, since Chromium keeps pages that come from nowhere away from the local network. */
let devServer: Server;
let origin: string;
let context: BrowserContext;

beforeAll(async () => {
  const [launched, { outputFiles }] = await Promise.all([
    launchChromium(),
    build({
      stdin: { contents: APP, resolveDir: fileURLToPath(new URL('../..', import.meta.url)), loader: 'ts' },
      bundle: true,
      write: false,
      format: 'esm',
      alias: {
        'parley-client': fileURLToPath(new URL('../../packages/client/src/index.ts', import.meta.url)),
      },
    }),
  ]);
  browser = launched;
  const html = `<script type="module">${outputFiles[0]?.text}</script>`;
  devServer = createServer((_, response) => {
    response.setHeader('content-type', 'text/html').end(html);
  }).listen(0, 'localhost');
  await once(devServer, 'listening');
  // A server that listens on TCP has such an address.
  origin = `http://localhost:${(devServer.address() as AddressInfo).port}`;
});
afterAll(async () => {
  await browser?.close();
  devServer?.close();
});
beforeEach(async () => {
  context = await browser.newContext();
});
afterEach(() => context.close());

async function openApp({ url }: TestParley, { token }: Person, roomId: string, after: string): Promise<Page> {
  const page = await context.newPage();
  await page.goto(`${origin}/?${new URLSearchParams({ url, token, roomId, after })}`);
  return page;
}

const messagesOf = (page: Page) => () => page.evaluate<string[]>('messages');
const statusesOf = (page: Page) => () => page.evaluate<string[]>('statuses');

test('should survive in Chromium that the server refuses connections for a while', async () => {
  const first = await startParley();
  const other = await startSibling(first);
  const alice = await signUp(first.url);
  const roomId = await createRoom(alice);
  const { liveCursor } = await readPage(alice, roomId);
  const page = await openApp(first, alice, roomId, liveCursor);
  await send(alice, roomId, 'before');
  await expect.poll(messagesOf(page), WAIT).toEqual(['before']);

  await first.stop();
  await send(at(other.url, alice), roomId, 'meanwhile');
  await expect.poll(statusesOf(page), WAIT).toEqual(['live', 'connecting', 'offline']);
  const again = await startSibling(first, { env: { PORT: new URL(first.url).port } });
  await send(at(again.url, alice), roomId, 'after');

  await expect.poll(messagesOf(page), WAIT).toEqual(['before', 'meanwhile', 'after']);
  expect(await statusesOf(page)()).toEqual(['live', 'connecting', 'offline', 'live']);
});

test('should notice in Chromium that the browser goes offline and comes back', async () => {
  const parley = await startParley();
  const alice = await signUp(parley.url);
  const roomId = await createRoom(alice);
  const { liveCursor } = await readPage(alice, roomId);
  const page = await openApp(parley, alice, roomId, liveCursor);
  await send(alice, roomId, 'before');
  await expect.poll(messagesOf(page), WAIT).toEqual(['before']);

  await context.setOffline(true);
  await expect.poll(statusesOf(page), WAIT).toEqual(['live', 'connecting', 'offline']);
  await send(alice, roomId, 'meanwhile');
  expect(await messagesOf(page)()).toEqual(['before']);
  await context.setOffline(false);

  await expect.poll(messagesOf(page), WAIT).toEqual(['before', 'meanwhile']);
});
