import { execFile } from 'node:child_process';
import { symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { launchChromium } from '../helpers/chromium.js';
import { createRoom, MESSAGE_ADDED, page as readPage, send, signUp } from '../helpers/client.js';
import { codeBlockWith } from '../helpers/code-blocks.js';
import { openStores } from '../helpers/database.js';
import { startParley, startSibling } from '../helpers/parley.js';
import { startBackend } from '../helpers/recipes/backend.js';
import { completeRecipes, RECIPE_GLOBALS, type Recipe, readmeRecipe } from '../helpers/recipes/published.js';
import { compileRelay, usesRelay } from '../helpers/recipes/relay.js';
import { runInChromium } from '../helpers/recipes/run-in-chromium.js';
import { runInNode } from '../helpers/recipes/run-in-node.js';
import type { RecipeOptions, RunningRecipe } from '../helpers/recipes/running.js';
import { faultOf, runScript } from '../helpers/recipes/script.js';
import { replaceResolver } from '../helpers/replace-resolver.js';
import { startTcpProxy } from '../helpers/tcp-proxy.js';
import { temporaryFolder } from '../helpers/temporary-folder.js';

/* Every TypeScript recipe of the documentation, as it is published. */

// On a small machine, Chromium takes seconds to open the page, and minutes to install where it is missing.
vi.setConfig({ testTimeout: 150_000, hookTimeout: 300_000 });
const PAGE_SIZE = 50;
const WAIT = { timeout: 20_000, interval: 50 };

const recipes = [readmeRecipe, ...completeRecipes];

let browser: Browser;
beforeAll(async () => {
  browser = await launchChromium();
});
afterAll(() => browser?.close());

const modules = fileURLToPath(new URL('../../node_modules', import.meta.url));
const packageSources = fileURLToPath(new URL('../../packages/client/src', import.meta.url));

test("docs/delivery.md shows the README's client", () => {
  expect(codeBlockWith('docs/delivery.md', 'createClient')).toBe(readmeRecipe.code);
});

/** The globals of docs/clients.md, and what the README names besides them. */
const README_GLOBALS = `
declare function currentToken(): Promise<string>;
declare function show(message: { id: string; seq: number; text: string; clientMessageId: string | null }): void;
declare function showError(error: unknown): void;
declare const roomId: string;
declare const page: { liveCursor: string };
`;

test.each([
  ['a bundler', recipes, { module: 'esnext', moduleResolution: 'bundler' }],
  // The files of Relay's compiler are for bundlers.
  [
    'Node',
    recipes.filter(({ code }) => !usesRelay(code)),
    { module: 'nodenext', exactOptionalPropertyTypes: true },
  ],
])('every recipe compiles with `strict` for %s', async (_, chosen, options) => {
  const { path } = temporaryFolder('recipes');
  symlinkSync(modules, join(path, 'node_modules'));
  const files = await Promise.all(
    chosen.map(async ({ isComplete, language, code }, index) => {
      const text = `${isComplete ? RECIPE_GLOBALS : README_GLOBALS}${code}\nexport {};\n`;
      if (!usesRelay(code)) return [`recipe-${index}.${language}`, text] as const;
      await compileRelay(join(path, `relay-${index}`), text);
      return [`relay-${index}/Chat.tsx`, text] as const;
    }),
  );
  for (const [name, text] of [
    ...files,
    ['package.json', '{ "type": "module" }'],
    [
      'tsconfig.json',
      JSON.stringify({
        compilerOptions: {
          strict: true,
          noEmit: true,
          // The declarations of some clients do not compile with all of the options.
          skipLibCheck: true,
          target: 'es2022',
          lib: ['es2022', 'dom', 'dom.iterable'],
          jsx: 'react-jsx',
          types: [],
          // From its sources, since it may not have been built.
          paths: {
            'parley-client': [`${packageSources}/index.ts`],
            'parley-client/*': [`${packageSources}/*/index.ts`, `${packageSources}/*.ts`],
          },
          ...options,
        },
        files: files.map(([name]) => name),
      }),
    ],
  ] as const)
    writeFileSync(join(path, name), text);

  const { stdout } = await promisify(execFile)(process.execPath, [join(modules, 'typescript/bin/tsc')], {
    cwd: path,
    // Its output is on stdout, which the message of the error leaves out.
  }).catch((error: { stdout: string }) => error);
  expect(stdout).toBe('');
});

test('every recipe shows every message once, in order, through an outage, in Chromium', async () => {
  const backend = await startBackend();
  const first = await startParley();
  const other = await startSibling(first);
  let current = first;

  const results = await runScript({
    browser,
    backend,
    recipes,
    world: {
      url: first.url,
      otherUrl: other.url,
      jwtSecret: first.config.jwtSecret ?? '',
      stop: () => current.stop(),
      async start() {
        current = await startSibling(first, { env: { PORT: new URL(first.url).port } });
      },
    },
    outageMs: 2000,
    tokenSeconds: 3,
    speed: 10,
  });

  expect(results).toHaveLength(1 + 2 * completeRecipes.length);
  for (const result of results) {
    const { name, expected, states, lost, unexpected, duplicated, outOfOrder } = result;
    expect({ name, lost, unexpected, duplicated, outOfOrder, fault: faultOf(result) }).toEqual({
      name,
      lost: [],
      unexpected: [],
      duplicated: [],
      outOfOrder: [],
      fault: undefined,
    });
    expect(expected).toBeGreaterThan(PAGE_SIZE);
    expect(states).toBeGreaterThan(3);
  }
});

/**
 * Runs recipes next to each other, those with React in Chromium and the others in Node. Their screens are compared by name,
 * which a failure then shows.
 */
async function runAll(
  chosen: readonly Recipe[],
  options: Omit<RecipeOptions, 'recipe' | 'backend' | 'speed'>,
) {
  const backend = await startBackend();
  const running: readonly RunningRecipe[] = await Promise.all(
    chosen.map((each) => {
      const all = { ...options, recipe: each, backend, speed: 10 };
      return each.language === 'tsx' ? runInChromium(browser, all) : runInNode(all);
    }),
  );
  return {
    running,
    async show(expected: readonly string[]): Promise<void> {
      const screens = async () =>
        Object.fromEntries(
          await Promise.all(running.map(async ({ name, screen }) => [name, await screen()])),
        );
      await expect
        .poll(screens, WAIT)
        .toEqual(Object.fromEntries(running.map(({ name }) => [name, expected])));
    },
    stop: () => Promise.all(running.map((each) => each.stop())),
  };
}

const epochOf = (cursor: string) => Buffer.from(cursor, 'base64url').toString('hex', 17, 25);

test('the complete recipes show a new page when the history was replaced', async () => {
  const parley = await startParley();
  const alice = await signUp(parley.url);
  const roomId = await createRoom(alice);
  await send(alice, roomId, 'before');
  const { liveCursor: after } = await readPage(alice, roomId);
  const currentToken = async () => alice.token;
  const running = await runAll(completeRecipes, { url: parley.url, roomId, after, currentToken });
  await send(alice, roomId, 'live');
  await running.show(['before', 'live']);

  await openStores(parley.database).epochs.renew(epochOf(after));
  await expect.poll(async () => epochOf((await readPage(alice, roomId)).liveCursor)).not.toBe(epochOf(after));
  await send(alice, roomId, 'in the new history');

  await running.show(['before', 'live', 'in the new history']);
  await running.stop();
});

test('every recipe continues after SERVICE_UNAVAILABLE', async () => {
  const parley = await startParley();
  const alice = await signUp(parley.url);
  const roomId = await createRoom(alice);
  const { liveCursor: after } = await readPage(alice, roomId);
  const currentToken = async () => alice.token;
  const running = await runAll(recipes, { url: parley.url, roomId, after, currentToken });
  await send(alice, roomId, 'before');
  await running.show(['before']);
  // More often than there are subscriptions: live at first, then also after some have subscribed again.
  const max = 2 * recipes.length;
  let failures = 0;
  replaceResolver('text', (resolve) => (source, args, context, info) => {
    if (source.text !== 'unavailable' || failures === max) return resolve(source, args, context, info);
    failures += 1;
    throw new Error('It has no text.');
  });

  const input = { roomId, text: 'unavailable' };
  // Without selecting the text, so that the sender has no error.
  await alice.request('mutation ($input: SendMessageInput!) { sendMessage(input: $input) { __typename } }', {
    input,
  });
  await running.show(['before', 'unavailable']);
  expect(failures).toBe(max);
  await running.stop();
});

test('the complete recipes notice a network that drops everything silently', async () => {
  const parley = await startParley();
  const alice = await signUp(parley.url);
  const roomId = await createRoom(alice);
  const { liveCursor: after } = await readPage(alice, roomId);
  const proxy = await startTcpProxy(Number(new URL(parley.url).port));
  const url = `http://127.0.0.1:${proxy.port}/graphql`;
  const currentToken = async () => alice.token;
  const running = await runAll(completeRecipes, { url, roomId, after, currentToken });
  await send(alice, roomId, 'before');
  await running.show(['before']);

  proxy.swallow();
  await send(alice, roomId, 'meanwhile');
  // Connections that have lost packets stay silent: the recipes have to give them up.
  proxy.restore();
  await running.show(['before', 'meanwhile']);

  // Neither do they wait for a new connection that is silent from the start.
  proxy.swallow();
  proxy.cut();
  await expect.poll(() => proxy.connections(), WAIT).toBeGreaterThanOrEqual(completeRecipes.length);
  await send(alice, roomId, 'after');
  proxy.restore();
  await running.show(['before', 'meanwhile', 'after']);
  await running.stop();
});

test('a seventh request waits in Chromium while six event streams are open', async () => {
  const parley = await startParley();
  const alice = await signUp(parley.url);
  const roomId = await createRoom(alice);
  const page = await browser.newPage();
  await page.goto(new URL('/health', parley.url).href);
  const stream = {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      accept: 'text/event-stream',
      authorization: `Bearer ${alice.token}`,
    },
    body: JSON.stringify({ query: MESSAGE_ADDED, variables: { roomId } }),
  };

  const answered = await page.evaluate(async (options) => {
    const streams = Array.from({ length: 6 }, () => new AbortController());
    await Promise.all(streams.map(({ signal }) => fetch('/graphql', { ...options, signal })));
    const order: string[] = [];
    const seventh = fetch('/health').then(() => order.push('the seventh request'));
    await new Promise((resolve) => setTimeout(resolve, 500));
    order.push('half a second');
    streams[0]?.abort();
    await seventh;
    return order;
  }, stream);

  expect(answered).toEqual(['half a second', 'the seventh request']);
  await page.close();
});
