import { execFile } from 'node:child_process';
import { symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { createTokens } from '../../src/auth/tokens.js';
import { launchChromium } from '../helpers/chromium.js';
import {
  at,
  createRoom,
  MESSAGE_ADDED,
  type Person,
  page as readPage,
  send,
  signUp,
} from '../helpers/client.js';
import { codeBlockWith } from '../helpers/code-blocks.js';
import { openStores } from '../helpers/database.js';
import { startParley, startSibling, type TestParley } from '../helpers/parley.js';
import {
  RECIPE_GLOBALS,
  type RecipeOptions,
  type RunningRecipe,
  runInChromium,
  runInNode,
} from '../helpers/recipe.js';
import { replaceResolver } from '../helpers/replace-resolver.js';
import { startTcpProxy } from '../helpers/tcp-proxy.js';
import { temporaryFolder } from '../helpers/temporary-folder.js';

/* Every TypeScript recipe of the documentation, as it is published. */

// On a small machine, Chromium takes seconds to open the page, and minutes to install where it is missing.
vi.setConfig({ testTimeout: 60_000, hookTimeout: 300_000 });
const WAIT = { timeout: 20_000, interval: 50 };

const README_CLIENT = codeBlockWith('README.md', 'createClient');
const PARLEY_CLIENT = codeBlockWith('docs/clients.md', 'createParleyClient');
const GRAPHQL_WS = codeBlockWith('docs/clients.md', 'createClient(');
const SERVER_SENT_EVENTS = codeBlockWith('docs/clients.md', 'text/event-stream');
const RECIPES: Readonly<Record<string, string>> = {
  "the README's graphql-ws client": README_CLIENT,
  'parley-client': PARLEY_CLIENT,
  'graphql-ws': GRAPHQL_WS,
  'server-sent events': SERVER_SENT_EVENTS,
};

let browser: Browser;
beforeAll(async () => {
  browser = await launchChromium();
});
afterAll(() => browser?.close());

const modules = fileURLToPath(new URL('../../node_modules', import.meta.url));
const parleyClient = fileURLToPath(new URL('../../packages/client/src/index.ts', import.meta.url));

test("docs/delivery.md shows the README's client", () => {
  expect(codeBlockWith('docs/delivery.md', 'createClient')).toBe(README_CLIENT);
});

test.each([
  ['a bundler', { module: 'esnext', moduleResolution: 'bundler' }],
  ['Node', { module: 'nodenext', exactOptionalPropertyTypes: true }],
])('every recipe compiles with `strict` for %s', async (_, options) => {
  const { path } = temporaryFolder('recipes');
  symlinkSync(modules, join(path, 'node_modules'));
  const blocks = Object.values(RECIPES).map(
    (block, index) => [`recipe-${index}.ts`, `${block}\nexport {};\n`] as const,
  );
  for (const [name, text] of [
    ...blocks,
    ['package.json', '{ "type": "module" }'],
    ['globals.d.ts', RECIPE_GLOBALS],
    [
      'tsconfig.json',
      JSON.stringify({
        compilerOptions: {
          strict: true,
          noEmit: true,
          target: 'es2022',
          lib: ['es2022', 'dom', 'dom.iterable'],
          types: [],
          // From its sources, since it may not have been built.
          paths: { 'parley-client': [parleyClient] },
          ...options,
        },
        files: ['globals.d.ts', ...blocks.map(([name]) => name)],
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

/** Issues tokens that expire during a test. */
async function shortLivedTokens({ config }: TestParley, { token }: Person) {
  const tokens = createTokens(config.jwtSecret ?? '', 2);
  const known = await tokens.authenticate(token);
  if (known.kind !== 'viewer') throw new Error('A token that was just issued must be good');
  let lastExpiry = 0;
  return {
    /** When the last of the tokens so far expires. */
    lastExpiry: () => lastExpiry,
    async issue(): Promise<string> {
      const { token: issued, expiresAt } = await tokens.issue(known.viewer);
      lastExpiry = expiresAt.getTime();
      return issued;
    },
  };
}

const ENVIRONMENTS = [
  ['Node', runInNode],
  ['Chromium', (options: RecipeOptions) => runInChromium(browser, options)],
] as const;

/** Runs recipes next to each other; their screens are compared by name, which a failure then shows. */
async function runAll(
  recipes: Readonly<Record<string, string>>,
  run: (options: RecipeOptions) => Promise<RunningRecipe>,
  options: Omit<RecipeOptions, 'block'>,
) {
  const names = Object.keys(recipes);
  const running = await Promise.all(Object.values(recipes).map((block) => run({ ...options, block })));
  return {
    running,
    async show(expected: readonly string[]): Promise<void> {
      const screens = () => Object.fromEntries(running.map(({ screen }, index) => [names[index], screen]));
      await expect.poll(screens, WAIT).toEqual(Object.fromEntries(names.map((name) => [name, expected])));
    },
    stop: () => Promise.all(running.map((recipe) => recipe.stop())),
  };
}

test.each(ENVIRONMENTS)(
  'every recipe shows every message once, in order, after an outage, in %s',
  async (_, run) => {
    const first = await startParley();
    const other = await startSibling(first);
    const alice = await signUp(first.url);
    const roomId = await createRoom(alice);
    const { liveCursor: after } = await readPage(alice, roomId);
    const tokens = await shortLivedTokens(first, alice);
    const texts: string[] = [];
    const sendTo = async ({ url }: TestParley, text: string): Promise<void> => {
      texts.push(text);
      await send(at(url, alice), roomId, text);
    };

    await sendTo(first, 'before it starts');
    const options = { url: first.url, roomId, after, currentToken: tokens.issue };
    const recipes = await runAll(RECIPES, run, options);
    await recipes.show(texts);
    await sendTo(first, 'live');
    await recipes.show(texts);

    await first.stop();
    await sendTo(other, 'during the outage');
    // By default, the standard client gives up after 5 attempts.
    const refused = () => Math.min(...recipes.running.map((recipe) => recipe.refused()));
    await expect.poll(refused, WAIT).toBeGreaterThan(6);
    await sendTo(other, 'still during the outage');
    const again = await startSibling(first, { env: { PORT: new URL(first.url).port } });
    await sendTo(again, 'after it');
    await recipes.show(texts);

    const expiry = tokens.lastExpiry();
    const connected = recipes.running.map((recipe) => recipe.connected());
    await expect.poll(() => Date.now(), WAIT).toBeGreaterThan(expiry);
    await sendTo(again, 'after the token has expired');
    await recipes.show(texts);
    // With the old token, nothing would have been delivered.
    recipes.running.forEach((recipe, index) => {
      expect(recipe.connected()).toBeGreaterThan(connected[index] ?? 0);
    });
    await recipes.stop();
  },
);

const epochOf = (cursor: string) => Buffer.from(cursor, 'base64url').toString('hex', 17, 25);

test('the complete recipes show a new page when the history was replaced', async () => {
  const parley = await startParley();
  const alice = await signUp(parley.url);
  const roomId = await createRoom(alice);
  await send(alice, roomId, 'before');
  const { liveCursor: after } = await readPage(alice, roomId);
  const currentToken = async () => alice.token;
  const blocks = { 'parley-client': PARLEY_CLIENT, 'graphql-ws': GRAPHQL_WS };
  const recipes = await runAll(blocks, runInNode, { url: parley.url, roomId, after, currentToken });
  await send(alice, roomId, 'live');
  await recipes.show(['before', 'live']);

  await openStores(parley.database).epochs.renew(epochOf(after));
  await expect.poll(async () => epochOf((await readPage(alice, roomId)).liveCursor)).not.toBe(epochOf(after));
  await send(alice, roomId, 'in the new history');

  await recipes.show(['before', 'live', 'in the new history']);
  await recipes.stop();
});

test('every recipe continues after SERVICE_UNAVAILABLE', async () => {
  const parley = await startParley();
  const alice = await signUp(parley.url);
  const roomId = await createRoom(alice);
  const { liveCursor: after } = await readPage(alice, roomId);
  const currentToken = async () => alice.token;
  const recipes = await runAll(RECIPES, runInNode, { url: parley.url, roomId, after, currentToken });
  await send(alice, roomId, 'before');
  await recipes.show(['before']);
  // More often than there are subscriptions: live at first, then also after some have subscribed again.
  let failures = 0;
  replaceResolver('text', (resolve) => (source, args, context, info) => {
    if (source.text !== 'unavailable' || failures === 12) return resolve(source, args, context, info);
    failures += 1;
    throw new Error('It has no text.');
  });

  const input = { roomId, text: 'unavailable' };
  // Without selecting the text, so that the sender has no error.
  await alice.request('mutation ($input: SendMessageInput!) { sendMessage(input: $input) { __typename } }', {
    input,
  });
  await recipes.show(['before', 'unavailable']);
  expect(failures).toBe(12);
  await recipes.stop();
});

test('the complete recipes notice a network that drops everything silently', async () => {
  const parley = await startParley();
  const alice = await signUp(parley.url);
  const roomId = await createRoom(alice);
  const { liveCursor: after } = await readPage(alice, roomId);
  const proxy = await startTcpProxy(Number(new URL(parley.url).port));
  const url = `http://127.0.0.1:${proxy.port}/graphql`;
  const currentToken = async () => alice.token;
  const blocks = {
    'parley-client': PARLEY_CLIENT,
    'graphql-ws': GRAPHQL_WS,
    'server-sent events': SERVER_SENT_EVENTS,
  };
  const recipes = await runAll(blocks, runInNode, { url, roomId, after, currentToken });
  await send(alice, roomId, 'before');
  await recipes.show(['before']);

  proxy.swallow();
  await send(alice, roomId, 'meanwhile');
  // Connections that have lost packets stay silent: the recipes have to give them up.
  proxy.restore();
  await recipes.show(['before', 'meanwhile']);
  await recipes.stop();
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
