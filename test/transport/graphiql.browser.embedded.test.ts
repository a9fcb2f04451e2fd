import type { Browser, BrowserContext, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test, vi } from 'vitest';
import { launchChromium } from '../helpers/chromium.js';
import { startParley, type TestParley } from '../helpers/parley.js';

// On a small machine, Chromium takes seconds to open the page, and minutes to install where it is missing.
vi.setConfig({ testTimeout: 60_000, hookTimeout: 300_000 });
const WAIT = { timeout: 20_000, interval: 50 };

let parley: TestParley;
let browser: Browser;
let context: BrowserContext;
/** Errors and warnings of the console, uncaught errors, and requests to other hosts. */
let problems: string[];

beforeAll(async () => {
  [parley, browser] = await Promise.all([startParley(), launchChromium()]);
});

afterAll(async () => {
  await browser?.close();
  await parley?.stop();
});

beforeEach(async () => {
  problems = [];
  context = await browser.newContext({ viewport: { width: 1400, height: 900 } });
  context.on('console', (message) => {
    if (['error', 'warning'].includes(message.type())) problems.push(message.text());
  });
  context.on('weberror', (error) => problems.push(String(error.error())));
  context.on('request', (request) => {
    const { origin, protocol } = new URL(request.url());
    if (protocol !== 'data:' && origin !== new URL(parley.url).origin) problems.push(request.url());
  });
});

afterEach(async () => {
  await context.close();
  expect(problems).toEqual([]);
});

/** Opens GraphiQL and records what its sockets send. */
async function openGraphiQL(search = '') {
  const page = await context.newPage();
  const sent: Record<string, unknown>[] = [];
  page.on('websocket', (socket) =>
    socket.on('framesent', ({ payload }) => sent.push(JSON.parse(String(payload)))),
  );
  await page.goto(parley.url + search);
  await page.locator('.graphiql-query-editor .view-line').first().waitFor();
  return {
    page,
    tabs: () => page.locator('.graphiql-tab').allInnerTexts(),
    result: () => textOf(page, '.result-window'),
    /** The payloads of all `connection_init` messages so far. */
    inits: () => sent.filter(({ type }) => type === 'connection_init').map(({ payload }) => payload),

    /** Selects the tab, unless it is active, and runs its operation. */
    async run(title: string): Promise<void> {
      const titles = await page.locator('.graphiql-tab').allInnerTexts();
      const activeTitle = async () => titles[await page.evaluate<number>(ACTIVE_TAB)];
      if ((await activeTitle()) !== title) {
        await page.locator('.graphiql-tab-button', { hasText: title }).click();
        await vi.waitFor(async () => expect(await activeTitle()).toBe(title), WAIT);
      }
      await page.locator(executeButton('Execute')).click();
    },

    /** Stops the subscription of the active tab. */
    async stop(): Promise<void> {
      await page.locator(executeButton('Stop')).click();
      await page.locator(executeButton('Execute')).waitFor();
    },

    async setHeaders(headers: object): Promise<void> {
      const editor = '.monaco-editor[data-uri*="eaders"]';
      const text = JSON.stringify(headers);
      await vi.waitFor(async () => {
        await page.locator(editor).click();
        await page.keyboard.press('ControlOrMeta+A');
        await page.keyboard.press('Backspace');
        await page.keyboard.insertText(text);
        // On a busy machine, the keys can arrive before the editor has the focus.
        await vi.waitFor(async () => expect(await textOf(page, editor)).toBe(text));
      }, WAIT);
    },
  };
}

/** GraphiQL stores its tabs as the last step of a change of tab, when it knows the new operation. */
const ACTIVE_TAB = `JSON.parse(sessionStorage.getItem('graphiql:tabState') ?? '{}').activeTabIndex`;

/** One button runs and stops an operation; its label names what it does now. */
const executeButton = (action: 'Execute' | 'Stop') => `.graphiql-execute-button[aria-label^="${action}"]`;

/** The text of a Monaco editor, which renders spaces as no-break spaces. */
async function textOf(page: Page, selector: string): Promise<string> {
  const text = await page.locator(`${selector} .view-lines`).textContent();
  return (text ?? '').replaceAll('\u00a0', ' ');
}

const authorization = { authorization: expect.stringMatching(/^Bearer [\w-]+\.[\w-]+\.[\w-]+$/) };

test('the default tabs of GraphiQL sign up, send, page and subscribe, with nothing pasted', async () => {
  const ada = await openGraphiQL();
  expect(await ada.tabs()).toEqual(['SignUp', 'SendMessage', 'History', 'Listen']);

  await ada.run('SignUp');
  await vi.waitFor(async () => expect(await ada.result()).toContain('"AuthPayload"'), WAIT);
  await ada.run('SendMessage');
  await vi.waitFor(async () => expect(await ada.result()).toContain('"SendMessagePayload"'), WAIT);
  await ada.run('History');
  await vi.waitFor(async () => expect(await ada.result()).toContain('"Hello from GraphiQL"'), WAIT);
  await ada.run('Listen');
  await vi.waitFor(() => expect(ada.inits()).toEqual([authorization]), WAIT);

  const grace = await openGraphiQL();
  await grace.run('SignUp');
  await vi.waitFor(async () => expect(await grace.result()).toContain('"AuthPayload"'), WAIT);
  const name = /"username": "(\w+)"/.exec(await grace.result())?.[1];
  await grace.run('SendMessage');
  await vi.waitFor(async () => expect(await grace.result()).toContain('"SendMessagePayload"'), WAIT);
  await vi.waitFor(async () => {
    expect(await ada.result()).toContain('"messageAdded"');
    expect(await ada.result()).toContain(`"displayName": "${name}"`);
  }, WAIT);
});

test('GraphiQL opens every subscription with the current content of the Headers pane', async () => {
  const ada = await openGraphiQL();
  await ada.run('Listen');
  await vi.waitFor(async () => expect(await ada.result()).toContain('"UNAUTHENTICATED"'), WAIT);
  expect(ada.inits()).toEqual([{}]);

  await ada.run('SignUp');
  await vi.waitFor(async () => expect(await ada.result()).toContain('"accessToken"'), WAIT);
  await ada.run('Listen');
  await vi.waitFor(() => expect(ada.inits()).toEqual([{}, authorization]), WAIT);

  await ada.stop();
  await ada.setHeaders({ Authorization: 'Bearer not-one-of-ours' });
  await ada.run('Listen');
  await vi.waitFor(async () => expect(await ada.result()).toContain('4401'), WAIT);
  expect(ada.inits().at(-1)).toEqual({ authorization: 'Bearer not-one-of-ours' });
});

test('after a reload, GraphiQL comes from the cache, is still signed in and has its tabs', async () => {
  const ada = await openGraphiQL();
  await ada.run('SignUp');
  await vi.waitFor(async () => expect(await ada.result()).toContain('"AuthPayload"'), WAIT);
  await ada.page.reload();
  await ada.run('SendMessage');
  await vi.waitFor(async () => expect(await ada.result()).toContain('"SendMessagePayload"'), WAIT);
  const fetched = await ada.page.evaluate(() =>
    globalThis.performance
      .getEntriesByType('resource')
      .map((entry) => ({ path: new URL(entry.name).pathname, bytes: Reflect.get(entry, 'transferSize') }))
      .filter(({ path, bytes }) => path.startsWith('/graphiql/') && bytes > 0),
  );
  expect(fetched).toEqual([]);
});

test('GraphiQL opens a share link before the default tabs', async () => {
  const { tabs, page } = await openGraphiQL(`?query=${encodeURIComponent('query Shared { __typename }')}`);
  expect(await tabs()).toEqual(['Shared', 'SignUp', 'SendMessage', 'History', 'Listen']);
  expect(await textOf(page, '.graphiql-query-editor')).toBe('query Shared { __typename }');
});

test('GraphiQL does not copy the edited query into the address', async () => {
  const { page } = await openGraphiQL();
  await page.locator('.graphiql-query-editor .view-line').first().click();
  await page.keyboard.insertText('# secret ');
  await vi.waitFor(
    async () => expect(await textOf(page, '.graphiql-query-editor')).toContain('secret'),
    WAIT,
  );
  expect(page.url()).toBe(parley.url);
});
