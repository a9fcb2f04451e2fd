import { execFile } from 'node:child_process';
import { symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { createTokens } from '../../src/auth/tokens.js';
import { launchChromium } from '../helpers/chromium.js';
import { at, createRoom, type Person, page as readPage, send, signUp } from '../helpers/client.js';
import { codeBlockWith } from '../helpers/code-blocks.js';
import { startParley, startSibling, type TestParley } from '../helpers/parley.js';
import { RECIPE_GLOBALS, type RecipeOptions, runInChromium, runInNode } from '../helpers/recipe.js';
import { temporaryFolder } from '../helpers/temporary-folder.js';

/* Every TypeScript recipe of the documentation, as it is published. */

// On a small machine, Chromium takes seconds to open the page, and minutes to install where it is missing.
vi.setConfig({ testTimeout: 60_000, hookTimeout: 300_000 });
const WAIT = { timeout: 20_000, interval: 50 };

const RECIPES: readonly (readonly [name: string, block: string])[] = [
  ["the README's graphql-ws client", codeBlockWith('README.md', 'createClient')],
  ['the graphql-ws client of docs/delivery.md', codeBlockWith('docs/delivery.md', 'createClient')],
  ['parley-client', codeBlockWith('docs/clients.md', 'createParleyClient')],
  ['graphql-ws', codeBlockWith('docs/clients.md', 'createClient(')],
  ['server-sent events', codeBlockWith('docs/clients.md', 'text/event-stream')],
];

let browser: Browser;
beforeAll(async () => {
  browser = await launchChromium();
});
afterAll(() => browser?.close());

const modules = fileURLToPath(new URL('../../node_modules', import.meta.url));
const parleyClient = fileURLToPath(new URL('../../packages/client/src/index.ts', import.meta.url));

test.each([
  ['a bundler', { module: 'esnext', moduleResolution: 'bundler' }],
  ['Node', { module: 'nodenext', exactOptionalPropertyTypes: true }],
])('every recipe compiles with `strict` for %s', async (_, options) => {
  const { path } = temporaryFolder('recipes');
  symlinkSync(modules, join(path, 'node_modules'));
  const blocks = RECIPES.map(([, block], index) => [`recipe-${index}.ts`, `${block}\nexport {};\n`] as const);
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
    haveExpired: () => Date.now() > lastExpiry,
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

const RUNS = RECIPES.flatMap(([recipe, block]) =>
  ENVIRONMENTS.map(([name, run]) => [recipe, name, block, run] as const),
);

test.each(RUNS)(
  '%s shows every message once, in order, after an outage, in %s',
  async (_, __, block, run) => {
    const first = await startParley();
    const other = await startSibling(first);
    const alice = await signUp(first.url);
    const roomId = await createRoom(alice);
    const { liveCursor: after } = await readPage(alice, roomId);
    const tokens = await shortLivedTokens(first, alice);

    await send(alice, roomId, 'before it starts');
    const recipe = await run({ block, url: first.url, roomId, after, currentToken: tokens.issue });
    await expect.poll(() => recipe.screen, WAIT).toEqual(['before it starts']);
    await send(alice, roomId, 'live');
    await expect.poll(() => recipe.screen, WAIT).toEqual(['before it starts', 'live']);

    await first.stop();
    await send(at(other.url, alice), roomId, 'during the outage');
    // By default, the standard client gives up after 5 attempts.
    await expect.poll(recipe.refused, WAIT).toBeGreaterThan(6);
    await send(at(other.url, alice), roomId, 'still during the outage');
    const again = await startSibling(first, { env: { PORT: new URL(first.url).port } });
    await send(at(again.url, alice), roomId, 'after it');
    const shown = ['before it starts', 'live', 'during the outage', 'still during the outage', 'after it'];
    await expect.poll(() => recipe.screen, WAIT).toEqual(shown);

    const connected = recipe.connected();
    await expect.poll(tokens.haveExpired, WAIT).toBe(true);
    await send(at(again.url, alice), roomId, 'after the token has expired');
    await expect.poll(() => recipe.screen, WAIT).toEqual([...shown, 'after the token has expired']);
    // With the old token, nothing would be delivered.
    expect(recipe.connected()).toBeGreaterThan(connected);
    await recipe.stop();
  },
);
