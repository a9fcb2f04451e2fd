import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { launchChromium } from '../helpers/chromium.js';
import { type Person, signUp } from '../helpers/client.js';
import { startParley, type TestParley } from '../helpers/parley.js';

vi.setConfig({ testTimeout: 60_000, hookTimeout: 300_000 });

/** Serves an empty page: another origin than Parley's. */
async function servePage(): Promise<{ server: Server; origin: string }> {
  const server = createServer((_request, response) => {
    response.writeHead(200, { 'content-type': 'text/html' }).end('<!doctype html><title>App</title>');
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return { server, origin: `http://127.0.0.1:${port}` };
}

let browser: Browser;
let parley: TestParley;
let alice: Person;
let allowed: { server: Server; origin: string };
let foreign: { server: Server; origin: string };

beforeAll(async () => {
  [allowed, foreign, browser] = await Promise.all([servePage(), servePage(), launchChromium()]);
  // In production, localhost is not allowed by itself. The database is that of the test in any case.
  const env = {
    ALLOWED_ORIGINS: allowed.origin,
    NODE_ENV: 'production',
    DATABASE_URL: 'postgres://localhost/x',
  };
  parley = await startParley({ env });
  alice = await signUp(parley.url);
});

afterAll(async () => {
  await browser?.close();
  allowed?.server.close();
  foreign?.server.close();
});

async function open(origin: string): Promise<Page> {
  const page = await browser.newPage();
  await page.goto(origin);
  return page;
}

/** Fetches in the page; resolves with the status, or null if the browser blocks the request. */
const statusIn = (page: Page, url: string, init: RequestInit): Promise<number | null> =>
  page.evaluate(
    ([target, options]) =>
      fetch(target, { credentials: 'include', ...options }).then(
        async (response) => {
          await response.text();
          return response.status;
        },
        () => null,
      ),
    [url, init] as const,
  );

/** Opens a WebSocket in the page; resolves with whether it has opened. */
const opensIn = (page: Page, url: string): Promise<boolean> =>
  page.evaluate(
    (target) =>
      new Promise<boolean>((resolve) => {
        const socket = new WebSocket(target, 'graphql-transport-ws');
        socket.onopen = () => resolve(true);
        socket.onerror = () => resolve(false);
      }),
    url,
  );

const post = (headers: Record<string, string>, body = '{"query":"{ viewer { id } }"}') => ({
  method: 'POST',
  headers: { authorization: `Bearer ${alice.token}`, ...headers },
  body,
});
const JSON_TYPE = { 'content-type': 'application/json' };

test('a page of an allowed origin reads every response, with any header and credentials', async () => {
  const page = await open(allowed.origin);
  const tracing = { baggage: 'a=b', traceparent: '00-1-2-01', 'x-request-id': '1' };
  expect(await statusIn(page, parley.url, post({ ...JSON_TYPE, ...tracing }))).toBe(200);
  const query = `${parley.url}?query={__typename}`;
  expect(await statusIn(page, query, { headers: { 'apollo-require-preflight': 'true' } })).toBe(200);
  expect(await statusIn(page, parley.url, post(JSON_TYPE, '{'))).toBe(400);
  expect(await statusIn(page, new URL('/nowhere', parley.url).href, post(JSON_TYPE))).toBe(404);
  expect(await statusIn(page, parley.url, post({ ...JSON_TYPE, accept: 'image/png' }))).toBe(406);
  expect(await statusIn(page, parley.url, post(JSON_TYPE, 'x'.repeat(70_000)))).toBe(413);
  expect(await statusIn(page, parley.url, post({}))).toBe(415);
  expect(await opensIn(page, parley.webSocketUrl)).toBe(true);
});

test('a page of another origin can use nothing, and is logged once', async () => {
  const page = await open(foreign.origin);
  expect(await statusIn(page, parley.url, post(JSON_TYPE))).toBeNull();
  expect(await statusIn(page, `${parley.url}?query={__typename}`, {})).toBeNull();
  expect(await opensIn(page, parley.webSocketUrl)).toBe(false);
  expect(parley.log.filter((line) => line.includes(`"origin":"${foreign.origin}"`))).toHaveLength(1);
});

test('a page of any origin may use a server with ALLOWED_ORIGINS=*, but not with credentials', async () => {
  const env = { ALLOWED_ORIGINS: '*', NODE_ENV: 'production', DATABASE_URL: 'postgres://localhost/x' };
  const { url } = await startParley({ env });
  const page = await open(foreign.origin);
  expect(await statusIn(page, url, { ...post(JSON_TYPE), credentials: 'omit' })).toBe(200);
  expect(await statusIn(page, url, post(JSON_TYPE))).toBeNull();
});
