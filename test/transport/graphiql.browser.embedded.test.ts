import type { Browser, BrowserContext, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test, vi } from 'vitest';
import { launchChromium } from '../helpers/chromium.js';
import { at, LOBBY, send, signUp } from '../helpers/client.js';
import { startParley, startSibling, type TestParley } from '../helpers/parley.js';

// On a small machine, Chromium takes seconds to open the page, and minutes to install where it is missing.
vi.setConfig({ testTimeout: 60_000, hookTimeout: 300_000 });
/** The length of an outage: more than one attempt to reconnect is refused. */
const OUTAGE_MS = 3000;
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
    /** The whole content of the response pane, also where it is not in view. */
    fullResult: () => page.evaluate<string>(RESPONSE),
    /** What the page says about the running subscription. */
    status: () => page.getByRole('status').textContent(),
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
      await page.getByRole('button', { name: 'Headers', exact: true }).click();
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

/** Monaco renders only the lines in view. */
const RESPONSE = `monaco.editor.getModels().find(({ uri }) => uri.path.endsWith('response.json')).getValue()`;

/** The `text` of every message in a JSON text, in order. */
const textsIn = (json: string) => [...json.matchAll(/"text": "([^"]*)"/g)].map(([, text]) => text);

/** One button runs and stops an operation; its label names what it does now. */
const executeButton = (action: 'Execute' | 'Stop') => `.graphiql-execute-button[aria-label^="${action}"]`;

/** The text of a Monaco editor, which renders spaces as no-break spaces. */
async function textOf(page: Page, selector: string): Promise<string> {
  const text = await page.locator(`${selector} .view-lines`).textContent();
  return (text ?? '').replaceAll('\u00a0', ' ');
}

/** The box of an element that is not displayed; it fits nowhere. */
const NOWHERE = { x: -1, y: -1, width: 0, height: 0 };

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
  await ada.page.locator('.graphiql-query-editor .view-line').first().waitFor();
  expect(await ada.tabs()).toEqual(['SignUp', 'SendMessage', 'History', 'Listen']);
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

test('the Listen tab of GraphiQL opens its variables, also if the Headers pane was open', async () => {
  const { page } = await openGraphiQL();
  await page.getByRole('button', { name: 'Headers', exact: true }).click();
  const pane = (name: string) => page.locator(`.graphiql-editor-tool[aria-label="${name}"]`);
  await pane('Headers').waitFor();
  await page.getByRole('tab', { name: 'Listen' }).click();
  await pane('Variables').waitFor();
  const variables = '.monaco-editor[data-uri*="variables"]';
  await vi.waitFor(async () => expect(await textOf(page, variables)).toContain('"after": null'), WAIT);
});

test('every control of GraphiQL has an accessible name', async () => {
  const { page } = await openGraphiQL();
  for (const role of ['button', 'tab', 'textbox'] as const) {
    const count = await page.getByRole(role).count();
    expect(count, role).toBeGreaterThan(2);
    expect(await page.getByRole(role, { name: /\S/ }).count(), role).toBe(count);
  }
});

test('GraphiQL fits a phone: tabs, editors, results and the documentation, without overlap', async () => {
  const ada = await openGraphiQL();
  const { page } = ada;
  await page.setViewportSize({ width: 390, height: 844 });
  await page.reload();
  await page.locator('.graphiql-query-editor .view-line').first().waitFor();
  const box = async (selector: string) => {
    const { x, y, width, height } = (await page.locator(selector).last().boundingBox()) ?? NOWHERE;
    expect(x, selector).toBeGreaterThanOrEqual(0);
    expect(x + width, selector).toBeLessThanOrEqual(390);
    expect(y + height, selector).toBeLessThanOrEqual(844);
    return { width, height, top: y, bottom: y + height };
  };
  await box('.graphiql-tab-button');
  expect((await box('.graphiql-query-editor .monaco-editor')).width).toBeGreaterThan(300);

  await ada.run('SignUp');
  await vi.waitFor(async () => expect(await ada.result()).toContain('"AuthPayload"'), WAIT);
  await ada.run('Listen');
  await vi.waitFor(async () => expect(await ada.status()).toMatch(/^Connected/), WAIT);
  const [query, variables, result, status, sidebar] = [
    await box('.graphiql-query-editor'),
    await box('.graphiql-editor-tool'),
    await box('.graphiql-response'),
    await box('#subscription-status'),
    await box('.graphiql-sidebar'),
  ];
  expect(query.bottom).toBeLessThanOrEqual(variables.top);
  expect(variables.bottom).toBeLessThanOrEqual(result.top);
  expect(result.height).toBeGreaterThan(350);
  expect(status.top).toBeGreaterThan(result.top + 250);
  expect(result.bottom).toBeLessThanOrEqual(sidebar.top);

  await page.getByRole('button', { name: 'Show Documentation Explorer' }).click();
  await vi.waitFor(async () => expect((await box('.graphiql-plugin')).height).toBeGreaterThan(600), WAIT);
  await page.getByText('Parley is a chat server.').waitFor();
  await page.getByRole('button', { name: 'Hide Documentation Explorer' }).click();
  await vi.waitFor(async () => expect((await box('.graphiql-response')).height).toBe(result.height), WAIT);
});

test('a subscription in GraphiQL keeps the last 50 results, follows the end, and says that it is connected', async () => {
  const ada = await openGraphiQL();
  await ada.run('SignUp');
  await vi.waitFor(async () => expect(await ada.result()).toContain('"AuthPayload"'), WAIT);
  await ada.run('Listen');
  await vi.waitFor(async () => expect(await ada.status()).toMatch(/^Connected/), WAIT);

  const grace = await signUp(parley.url);
  const texts = Array.from({ length: 52 }, (_, index) => `number ${index + 1}`);
  for (const text of texts) await send(grace, LOBBY, text);
  await vi.waitFor(async () => expect(textsIn(await ada.fullResult()).at(-1)).toBe('number 52'), WAIT);
  expect(textsIn(await ada.fullResult())).toEqual(texts.slice(2));
  await vi.waitFor(async () => expect(await ada.result()).toContain('"number 52"'), WAIT);

  await ada.stop();
  expect(await ada.page.getByRole('status').count()).toBe(0);
  expect(textsIn(await ada.fullResult())).toEqual(texts.slice(2));
});

test('a subscription in GraphiQL replaces a connection on which the server has fallen silent', async () => {
  const ada = await openGraphiQL();
  let isSilent = false;
  await ada.page.routeWebSocket('**/graphql', (socket) => {
    const server = socket.connectToServer();
    const isFirst = !isSilent;
    server.onMessage((message) => {
      if (!(isFirst && isSilent)) socket.send(message);
    });
  });
  await ada.page.clock.install();
  await ada.page.reload();
  await ada.run('SignUp');
  await vi.waitFor(async () => expect(await ada.result()).toContain('"AuthPayload"'), WAIT);
  await ada.run('Listen');
  await vi.waitFor(async () => expect(await ada.status()).toMatch(/^Connected/), WAIT);
  const grace = await signUp(parley.url);
  await send(grace, LOBBY, 'heard');
  await vi.waitFor(async () => expect(textsIn(await ada.fullResult())).toContain('heard'), WAIT);

  isSilent = true;
  await send(grace, LOBBY, 'unheard');
  // The page sends a ping every 10 s, and waits 10 s for the answer.
  await ada.page.clock.fastForward(10_000);
  expect(textsIn(await ada.fullResult())).not.toContain('unheard');
  await ada.page.clock.fastForward(10_000);
  await vi.waitFor(async () => expect(textsIn(await ada.fullResult())).toContain('unheard'), WAIT);
  const texts = textsIn(await ada.fullResult());
  expect(texts.slice(texts.indexOf('heard'))).toEqual(['heard', 'unheard']);
});

test('a subscription in GraphiQL survives an outage, says that it waits, and shows each message once', async () => {
  const ada = await openGraphiQL();
  await ada.run('SignUp');
  await vi.waitFor(async () => expect(await ada.result()).toContain('"AuthPayload"'), WAIT);
  await ada.run('Listen');
  await vi.waitFor(async () => expect(await ada.status()).toMatch(/^Connected/), WAIT);
  const grace = await signUp(parley.url);
  await send(grace, LOBBY, 'before');
  await vi.waitFor(async () => expect(textsIn(await ada.fullResult())).toContain('before'), WAIT);

  const stopped = parley;
  const refused = new Promise<void>((resolve) => {
    ada.page.on('console', (message) => {
      if (message.text().includes('ERR_CONNECTION_REFUSED')) resolve();
    });
  });
  await stopped.stop();
  await refused;
  await vi.waitFor(async () => expect(await ada.status()).toMatch(/cannot be reached.*Reconnecting/), WAIT);
  expect(textsIn(await ada.fullResult())).toContain('before');

  const other = await startSibling(stopped);
  const graceThere = at(other.url, grace);
  for (const text of ['first', 'second', 'third']) await send(graceThere, LOBBY, text);
  await ada.page.waitForTimeout(OUTAGE_MS);
  parley = await startSibling(stopped, { env: { PORT: new URL(stopped.url).port } });

  await vi.waitFor(async () => expect(textsIn(await ada.fullResult())).toContain('third'), WAIT);
  await vi.waitFor(async () => expect(await ada.status()).toMatch(/^Connected/), WAIT);
  await send(at(parley.url, grace), LOBBY, 'after');
  await vi.waitFor(async () => expect(textsIn(await ada.fullResult())).toContain('after'), WAIT);
  const texts = textsIn(await ada.fullResult());
  expect(texts.slice(texts.indexOf('before'))).toEqual(['before', 'first', 'second', 'third', 'after']);
  problems = problems.filter((problem) => !problem.includes('ERR_CONNECTION_REFUSED'));
});
