import { chmod, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
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
import { ensureProgram } from '../helpers/debian.js';
import { openEventStream } from '../helpers/event-stream.js';
import { freePort } from '../helpers/free-port.js';
import { startParley, type TestParley } from '../helpers/parley.js';
import { startProgram } from '../helpers/program.js';
import { temporaryFolder } from '../helpers/temporary-folder.js';

/** Behind HAProxy and Caddy, with settings like those in `deploy`. */

let parley: TestParley;
let alice: Person;
let roomId: string;

beforeAll(async () => {
  parley = await startParley({ env: { KEEP_ALIVE_SECONDS: '2', TRUSTED_PROXIES: '1' } });
  alice = await signUp(parley.url);
  roomId = await createRoom(alice);
});

interface Proxy {
  readonly program: string;
  readonly file: string;
  readonly arguments: (file: string) => string[];
  readonly configuration: (port: number, upstream: string) => string;
}

const proxies: Readonly<Record<string, Proxy>> = {
  HAProxy: {
    program: 'haproxy',
    file: 'haproxy.cfg',
    arguments: (file) => ['-f', file],
    configuration: (port, upstream) => `
defaults
  mode http
  option forwardfor
  timeout connect 2s
  timeout client 75s
  timeout server 75s
  timeout tunnel 75s
  timeout http-keep-alive 1s
frontend public
  bind 127.0.0.1:${port}
  default_backend parley
backend parley
  option httpchk GET /ready
  server parley ${upstream} check inter 200ms
`,
  },
  Caddy: {
    program: 'caddy',
    file: 'Caddyfile',
    arguments: (file) => ['run', '--adapter', 'caddyfile', '--config', file],
    configuration: (port, upstream) => `
{
	admin off
	auto_https off
}
http://127.0.0.1:${port} {
	reverse_proxy ${upstream} {
		health_uri /ready
		health_interval 200ms
		flush_interval -1
		transport http {
			keepalive 1s
		}
	}
}
`,
  },
};

/** Starts a proxy in front of Parley, and returns its origin. */
async function start({ program, file, arguments: argumentsOf, configuration }: Proxy) {
  const binary = await ensureProgram(program);
  const folder = temporaryFolder(program);
  await chmod(folder.path, 0o755);
  const port = await freePort();
  const path = join(folder.path, file);
  await writeFile(path, configuration(port, new URL(parley.url).host));
  const stop = await startProgram({
    binary,
    args: argumentsOf(path),
    port,
    folder,
    spawn: { env: { PATH: process.env.PATH, HOME: folder.path } },
  });
  return { origin: `http://127.0.0.1:${port}`, stop };
}

test.each(Object.keys(proxies))(
  'WebSocket, server-sent events and idle connections work through %s',
  async (name) => {
    const proxy = await start(proxies[name] as Proxy);
    const url = `${proxy.origin}/graphql`;
    const typename = async () =>
      (await request<{ __typename: string }>(url, '{ __typename }')).data?.__typename;
    await expect.poll(() => typename().catch(String), { timeout: 5000 }).toBe('Query');

    const { liveCursor } = await page(alice, roomId);
    const client = connect(url.replace('http', 'ws'), { token: alice.token });
    const subscription = subscribe(client, roomId, liveCursor);
    const stream = await openEventStream(url, alice, { roomId, after: liveCursor });
    const before = performance.now();
    const sent = await send(alice, roomId, `through ${name}`);
    expect(await subscription.received(1)).toEqual([sent]);
    const [event] = await stream.received(1);
    expect(event?.result?.data?.messageAdded).toEqual(sent);
    expect(performance.now() - before).toBeLessThan(1500);
    stream.abort();

    const answers: unknown[] = [];
    for (const pauseMs of [950, 1000, 1050, 1950, 2000, 2050]) {
      answers.push(...(await Promise.all(Array.from({ length: 50 }, typename))));
      await sleep(pauseMs);
    }
    expect(new Set(answers)).toEqual(new Set(['Query']));
    await proxy.stop();
  },
  60_000,
);
