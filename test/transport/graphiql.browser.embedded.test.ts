import type { Browser, BrowserContext, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, expect, it, vi } from 'vitest';
import { launchChromium } from '../helpers/chromium.js';
import { startParley, type TestParley } from '../helpers/parley.js';

// A visit takes Chromium seconds on a small machine, and installing it where it is missing a minute or two.
vi.setConfig({ testTimeout: 60_000, hookTimeout: 300_000 });
const WAIT = { timeout: 20_000, interval: 50 };

let parley: TestParley;
let browser: Browser;
let context: BrowserContext;
/** What the browser's console, its pages and its network would rather not have. */
let complaints: string[];

beforeAll(async () => {
  [parley, browser] = await Promise.all([startParley(), launchChromium()]);
});

afterAll(async () => {
  await browser?.close();
  await parley?.stop();
});

beforeEach(async () => {
  complaints = [];
  context = await browser.newContext({ viewport: { width: 1400, height: 900 } });
  context.on('console', (message) => {
    if (['error', 'warning'].includes(message.type())) complaints.push(message.text());
  });
  context.on('weberror', (error) => complaints.push(String(error.error())));
  context.on('request', (request) => {
    const { origin, protocol } = new URL(request.url());
    if (protocol !== 'data:' && origin !== new URL(parley.url).origin) complaints.push(request.url());
  });
});

afterEach(async () => {
  await context.close();
  expect(complaints).toEqual([]);
});

/** GraphiQL as a visitor meets it, with a record of what its sockets send. */
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
    /** The payloads of all `connection_init` so far. */
    inits: () => sent.filter(({ type }) => type === 'connection_init').map(({ payload }) => payload),

    /** Goes to the tab, unless it is the one in front, and runs it. */
    async run(title: string): Promise<void> {
      const titles = await page.locator('.graphiql-tab').allInnerTexts();
      const inFront = async () => titles[await page.evaluate<number>(ACTIVE_TAB)];
      if ((await inFront()) !== title) {
        await page.locator('.graphiql-tab-button', { hasText: title }).click();
        await vi.waitFor(async () => expect(await inFront()).toBe(title), WAIT);
      }
      await page.locator(executeButton('Execute')).click();
    },

    /** Ends the subscription that runs in the tab in front. */
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
        // On a busy machine the keys can come before the editor has the focus.
        await vi.waitFor(async () => expect(await textOf(page, editor)).toBe(text));
      }, WAIT);
    },
  };
}

/** GraphiQL stores its tabs last of what a change of tab brings, when it knows the new operation. */
const ACTIVE_TAB = `JSON.parse(sessionStorage.getItem('graphiql:tabState') ?? '{}').activeTabIndex`;

/** One button runs and stops; its label says which it would do now. */
const executeButton = (does: 'Execute' | 'Stop') => `.graphiql-execute-button[aria-label^="${does}"]`;

/** What a Monaco editor shows, which writes its spaces as no-break ones. */
async function textOf(page: Page, selector: string): Promise<string> {
  const text = await page.locator(`${selector} .view-lines`).textContent();
  return (text ?? '').replaceAll('\u00a0', ' ');
}

const authorization = { authorization: expect.stringMatching(/^Bearer [\w-]+\.[\w-]+\.[\w-]+$/) };

it('signs up, sends, pages and subscribes, tab after tab, with nothing pasted', async () => {
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

it('opens every subscription with what the Headers pane then holds', async () => {
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

it('reloads from the cache, still signed in, with its tabs', async () => {
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

it('opens a share link before the usual tabs', async () => {
  const { tabs, page } = await openGraphiQL(`?query=${encodeURIComponent('query Shared { __typename }')}`);
  expect(await tabs()).toEqual(['Shared', 'SignUp', 'SendMessage', 'History', 'Listen']);
  expect(await textOf(page, '.graphiql-query-editor')).toBe('query Shared { __typename }');
});

it('keeps what is typed out of the address', async () => {
  const { page } = await openGraphiQL();
  await page.locator('.graphiql-query-editor .view-line').first().click();
  await page.keyboard.insertText('# secret ');
  await vi.waitFor(
    async () => expect(await textOf(page, '.graphiql-query-editor')).toContain('secret'),
    WAIT,
  );
  expect(page.url()).toBe(parley.url);
});
