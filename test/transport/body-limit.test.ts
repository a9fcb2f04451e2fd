import { setImmediate as nextTurn } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { beforeAll, expect, test } from 'vitest';
import { startParley, type TestParley } from '../helpers/parley.js';
import { openRawHttp } from '../helpers/raw-http.js';

const LIMIT = 64 * 1024;
const MIB = 1024 * 1024;
const CHUNK = 16 * 1024;

let parley: TestParley;

beforeAll(async () => {
  parley = await startParley();
});

/** A connection by hand: HTTP clients end every body that they begin. */
interface Upload {
  /** Everything that the server has sent so far. */
  text(): string;
  write(text: string): void;
  /** Sends chunks until the condition holds, or `bytes` bytes are sent; resolves with their number. */
  sendChunks(until: () => boolean, bytes: number): Promise<number>;
  isClosed(): boolean;
  destroy(): void;
}

/** Posts to the API with these headers; the body is up to the test. */
async function upload(...headers: string[]): Promise<Upload> {
  const { hostname, pathname } = new URL(parley.url);
  const { socket, text, isClosed } = await openRawHttp(parley.url);
  socket.write([`POST ${pathname} HTTP/1.1`, `Host: ${hostname}`, ...headers, '', ''].join('\r\n'));
  return {
    text,
    write: (part) => void socket.write(part),
    async sendChunks(until, bytes) {
      let sent = 0;
      for (; sent < bytes && !socket.closed && !until(); sent += CHUNK) {
        await new Promise((resolve) => socket.write(chunk('x'.repeat(CHUNK)), resolve));
        await nextTurn();
      }
      return sent;
    },
    isClosed,
    destroy: () => void socket.destroy(),
  };
}

const chunk = (text: string) => `${text.length.toString(16)}\r\n${text}\r\n`;
const LAST_CHUNK = '0\r\n\r\n';
const JSON_TYPE = 'Content-Type: application/json';
const CHUNKED = 'Transfer-Encoding: chunked';

/** A valid request of exactly `bytes` bytes. */
function requestOf(bytes: number): string {
  const request = (padding: string) => JSON.stringify({ query: '{ __typename }', variables: { padding } });
  return request('x'.repeat(bytes - request('').length));
}

const variants: Record<string, readonly string[]> = {
  'as plain JSON': [JSON_TYPE],
  'with a charset': [`${JSON_TYPE}; charset=utf-8`],
  'by a client of event streams': [JSON_TYPE, 'Accept: text/event-stream'],
  'by a client of the newer type': [JSON_TYPE, 'Accept: application/graphql-response+json'],
};

test.each(Object.keys(variants))(
  'a body without an end, sent %s, is rejected soon after its first 64 KiB, and its connection is closed',
  async (name) => {
    const headers = variants[name] ?? [];
    const sender = await upload(...headers, CHUNKED);
    const sent = await sender.sendChunks(() => sender.text() !== '', 8 * MIB);

    expect(sent).toBeGreaterThan(LIMIT);
    expect(sent).toBeLessThan(MIB);
    expect(sender.text()).toMatch(/^HTTP\/1\.1 413 /);
    await sender.sendChunks(sender.isClosed, 8 * MIB);
    await expect.poll(sender.isClosed).toBe(true);
    expect(sender.text()).toMatch(/^connection: close\r$/im);
    expect(sender.text()).toContain('"code":"LIMIT_EXCEEDED"');
  },
);

test('the connection is closed after a body in chunks that is one byte too long', async () => {
  const sender = await upload(JSON_TYPE, CHUNKED);
  sender.write(chunk(requestOf(LIMIT + 1)) + LAST_CHUNK);

  await expect.poll(sender.isClosed).toBe(true);
  expect(sender.text()).toMatch(/^HTTP\/1\.1 413 /);
  expect(sender.text()).toMatch(/^connection: close\r$/im);
});

test('the connection is kept after a body in chunks of 64 KiB', async () => {
  const sender = await upload(JSON_TYPE, CHUNKED);
  sender.write(chunk(requestOf(LIMIT)) + LAST_CHUNK);
  await expect.poll(sender.text).toContain('{"data":{"__typename":"Query"}}');

  expect(sender.text()).toMatch(/^HTTP\/1\.1 200 /);
  expect(sender.text()).not.toMatch(/^connection: close/im);
  sender.write(`GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n`);
  await expect.poll(sender.text).toContain('{"status":"ok"}');
  sender.destroy();
});

test('a body that is too long by its Content-Length is rejected before any of it arrives', async () => {
  const sender = await upload(JSON_TYPE, `Content-Length: ${LIMIT + 1}`);

  await expect.poll(sender.text).toMatch(/^HTTP\/1\.1 413 /);
  expect(sender.text()).toContain('"code":"LIMIT_EXCEEDED"');
  await expect.poll(sender.isClosed).toBe(true);
});

test('nothing that arrives after the rejection is kept', async () => {
  setFlagsFromString('--expose-gc');
  const collectGarbage: () => void = runInNewContext('gc');
  const sender = await upload(JSON_TYPE, 'Accept: text/event-stream', CHUNKED);
  await sender.sendChunks(() => sender.text() !== '', 8 * MIB);
  expect(sender.text()).toMatch(/^HTTP\/1\.1 413 /);
  collectGarbage();
  const before = process.memoryUsage().arrayBuffers;

  await sender.sendChunks(sender.isClosed, 16 * MIB);

  collectGarbage();
  expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(8 * MIB);
  sender.destroy();
});
