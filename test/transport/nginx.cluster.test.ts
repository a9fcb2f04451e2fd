import { setTimeout as sleep } from 'node:timers/promises';
import { beforeAll, expect, test } from 'vitest';
import {
  connect,
  createRoom,
  type Person,
  page,
  request,
  send,
  signUp,
  subscribe,
} from '../helpers/client.js';
import { openEventStream } from '../helpers/event-stream.js';
import { startNginx } from '../helpers/nginx.js';
import { startParley, type TestParley } from '../helpers/parley.js';

/** Behind a real nginx, with as little configuration as people start with. */

let parley: TestParley;
let alice: Person;
let roomId: string;

beforeAll(async () => {
  parley = await startParley({ env: { KEEP_ALIVE_SECONDS: '2', TRUSTED_PROXIES: '1', GRAPHIQL: 'on' } });
  alice = await signUp(parley.url);
  roomId = await createRoom(alice);
});

const upstream = () => new URL(parley.url).host;

test('server-sent events arrive at once through nginx as it is installed', async () => {
  const nginx = await startNginx(`server { listen LISTEN; location / { proxy_pass http://${upstream()}; } }`);
  const { liveCursor } = await page(alice, roomId);
  const stream = await openEventStream(`${nginx.origin}/graphql`, alice, { roomId, after: liveCursor });
  expect(stream.response.headers.get('cache-control')).toBe('no-cache, no-transform');
  const before = performance.now();
  const sent = await send(alice, roomId, 'hello');
  const [first] = await stream.received(1);
  expect(first?.result?.data?.messageAdded).toEqual(sent);
  expect(performance.now() - before).toBeLessThan(1000);
  stream.abort();
  await nginx.stop();
});

test('everything works below a path that nginx removes', async () => {
  const nginx = await startNginx(`
    server {
      listen LISTEN;
      location /chat/ {
        proxy_pass http://${upstream()}/;
        proxy_http_version 1.1;
        proxy_set_header Host $http_host;
        proxy_set_header Upgrade $http_upgrade;
        proxy_set_header Connection "upgrade";
      }
    }`);
  const html = { headers: { accept: 'text/html' } };
  const root = await fetch(`${nginx.origin}/chat/`, html);
  expect(root.url).toBe(`${nginx.origin}/chat/graphql`);
  const text = await root.text();
  const assets = [...text.matchAll(/(?:src|href)="(\.[^"]+)"/g)].map(
    ([, path = '']) => new URL(path, root.url),
  );
  expect(assets.length).toBeGreaterThan(3);
  for (const asset of assets) expect((await fetch(asset)).status, asset.href).toBe(200);

  const url = `${nginx.origin}/chat/graphql`;
  const person = await signUp(url);
  expect(await request(url, '{ viewer { user { username } } }', {}, person.token)).toEqual({
    data: { viewer: { user: { username: person.username } } },
  });
  const { liveCursor } = await page(alice, roomId);
  const subscription = subscribe(
    connect(url.replace('http', 'ws'), { token: alice.token }),
    roomId,
    liveCursor,
  );
  const sent = await send(alice, roomId, 'through the path');
  expect(await subscription.received(1)).toEqual([sent]);
  await nginx.stop();
});

test('no request is lost around the time at which nginx closes its idle connections', async () => {
  const nginx = await startNginx(`
    upstream parley { server ${upstream()}; keepalive 32; keepalive_timeout 1s; }
    server {
      listen LISTEN;
      location / { proxy_pass http://parley; proxy_http_version 1.1; proxy_set_header Connection ""; }
    }`);
  const post = async (): Promise<number> => {
    const response = await fetch(`${nginx.origin}/graphql`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: '{"query":"{ __typename }"}',
    });
    await response.text();
    return response.status;
  };
  const statuses: number[] = [];
  for (const pauseMs of [950, 990, 1000, 1010, 1050, 1990, 2000, 2010]) {
    statuses.push(...(await Promise.all(Array.from({ length: 64 }, post))));
    await sleep(pauseMs);
  }
  expect(new Set(statuses)).toEqual(new Set([200]));
  await nginx.stop();
}, 30_000);

test('an idle connection outlives the time that a request may take', async () => {
  const quick = await startParley({
    env: { KEEP_ALIVE_SECONDS: '30' },
    overrides: { receiveTimeoutMs: 500 },
  });
  const nginx = await startNginx(`
    upstream parley { server ${new URL(quick.url).host}; keepalive 1; }
    server {
      listen LISTEN;
      location / { proxy_pass http://parley; proxy_http_version 1.1; proxy_set_header Connection ""; }
    }`);
  for (let count = 0; count < 3; count += 1) {
    expect((await fetch(`${nginx.origin}/health`)).status).toBe(200);
    await sleep(1600);
  }
  await nginx.stop();
  await quick.stop();
});
