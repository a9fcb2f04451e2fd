import { once } from 'node:events';
import { createServer, type IncomingHttpHeaders, request, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { brotliDecompressSync, gunzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createGraphiQL } from '../../src/transport/graphiql/index.js';

const BROWSER =
  'text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8,application/signed-exchange;v=b3;q=0.7';
const LOBBY_ID = 'Um9vbTo8L3NjcmlwdD4';
const NOT_MINE = 418;

interface Answer {
  status: number | undefined;
  headers: IncomingHttpHeaders;
  body: Buffer;
}

let server: Server;

beforeAll(async () => {
  const graphiql = createGraphiQL({ lobbyId: LOBBY_ID });
  server = createServer(async (incoming, response) => {
    if (!(await graphiql.handle(incoming, response))) response.writeHead(NOT_MINE).end();
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
});

afterAll(() => {
  server.closeAllConnections();
  server.close();
});

/** node:http and not fetch, which would add headers of its own and undo the encoding. */
async function ask(path: string, headers: Record<string, string> = {}, method = 'GET'): Promise<Answer> {
  const { port } = server.address() as AddressInfo; // it listens on TCP
  const sent = request({ host: '127.0.0.1', port, path, method, headers }).end();
  const [incoming] = await once(sent, 'response');
  const chunks: Buffer[] = [];
  for await (const chunk of incoming) chunks.push(chunk);
  return { status: incoming.statusCode, headers: incoming.headers, body: Buffer.concat(chunks) };
}

const askPage = (path = '/graphql') => ask(path, { accept: BROWSER });

/** Every file that the page names, or that one of those imports. */
async function assetPaths(): Promise<string[]> {
  const html = (await askPage()).body.toString();
  const named = [...html.matchAll(/(?:src|href)="(\/[^"]+)"/g)].map(([, path = '']) => path);
  const folder = /"assets":"([^"]+)"/.exec(html)?.[1] ?? '';
  const script = (await ask(`${folder}page.js`)).body.toString();
  const workers = [...script.matchAll(/[\w.]+\.worker\.js/g)].map(([name]) => folder + name);
  const client = (await ask(`${folder}client.js`)).body.toString();
  const chunks = [...client.matchAll(/from '\.\/([^']+)'/g)].map(([, name]) => folder + name);
  return [...new Set([...named, ...workers, `${folder}client.js`, ...chunks])];
}

describe('the page', () => {
  it('is what a browser gets from GET /graphql', async () => {
    const { status, headers, body } = await askPage();
    expect(status).toBe(200);
    expect(headers['content-type']).toBe('text/html; charset=utf-8');
    expect(headers.vary).toBe('accept');
    expect(body.toString()).toMatch(/^<!doctype html>/);
    expect(body.length).toBeLessThan(10_000);
  });

  it('is what a browser gets from a share link', async () => {
    expect((await askPage('/graphql?query=%7Bviewer%7Bid%7D%7D')).status).toBe(200);
  });

  it.each([
    ['nothing', undefined],
    ['anything', '*/*'],
    ['JSON', 'application/json'],
    ['a GraphQL response', 'application/graphql-response+json, application/json;q=0.9'],
    ['JSON as much as HTML', 'text/html, application/json'],
    ['JSON more than HTML', 'text/html;q=0.5, application/json'],
    ['events', 'text/event-stream'],
    ['anything but HTML', 'text/html;q=0, */*'],
  ])('leaves a request that accepts %s to the API', async (_, accept) => {
    const { status } = await ask('/graphql?query=%7B__typename%7D', accept === undefined ? {} : { accept });
    expect(status).toBe(NOT_MINE);
  });

  it.each(['POST', 'OPTIONS'])('leaves %s to the API', async (method) => {
    expect((await ask('/graphql', { accept: BROWSER }, method)).status).toBe(NOT_MINE);
  });

  it.each(['/', '/health', '/graphqlx', '/graphql/stream', '/graphiql'])('leaves %s alone', async (path) => {
    expect((await askPage(path)).status).toBe(NOT_MINE);
  });

  it('answers HEAD with the same headers and no body', async () => {
    const { status, headers, body } = await ask('/graphql', { accept: BROWSER }, 'HEAD');
    expect(status).toBe(200);
    expect(Number(headers['content-length'])).toBeGreaterThan(1000);
    expect(body).toHaveLength(0);
  });

  it('names no other host and runs nothing inline', async () => {
    const html = (await askPage()).body.toString();
    expect(html.replaceAll('http://www.w3.org/2000/svg', '')).not.toMatch(/(?:https?|wss?):|[=(]["']?\/\//);
    expect(html).not.toMatch(/\son\w+=/);
    for (const [tag] of html.matchAll(/<script[^>]*>/g)) expect(tag).toMatch(/src="\/|application\/json/);
  });

  it('may load nothing but this host, and be framed by nobody', async () => {
    const { headers } = await askPage();
    const policy = headers['content-security-policy'];
    expect(policy).toContain("default-src 'none'");
    expect(policy).toContain("script-src 'self';");
    expect(policy).toContain("connect-src 'self';");
    expect(policy).toContain("frame-ancestors 'none'");
    expect(headers['x-content-type-options']).toBe('nosniff');
  });

  it('gives every visitor a name and a password of their own', async () => {
    const read = async () => {
      const html = (await askPage()).body.toString();
      return [/username: \\"(\w+)\\"/, /password: \\"([\w-]+)\\"/].map((pattern) => pattern.exec(html)?.[1]);
    };
    const [first, second] = [await read(), await read()];
    for (const [index, value] of first.entries()) {
      expect(value).toMatch(/^[\w-]{8,}$/);
      expect(value).not.toBe(second[index]);
    }
    expect((await askPage()).headers['cache-control']).toBe('no-store');
  });
});

describe('its assets', () => {
  it('are all there, as what they are, and compressed', async () => {
    const paths = await assetPaths();
    expect(paths.length).toBeGreaterThanOrEqual(8);
    for (const path of paths) {
      const plain = await ask(path);
      expect(plain.status, path).toBe(200);
      expect(plain.headers['content-encoding']).toBeUndefined();
      expect(plain.headers['content-type']).toMatch(
        path.endsWith('.css') ? /^text\/css/ : /^text\/javascript/,
      );
      expect(plain.headers['x-content-type-options']).toBe('nosniff');

      const brotli = await ask(path, { 'accept-encoding': 'gzip, deflate, br, zstd' });
      expect(brotli.headers['content-encoding']).toBe('br');
      expect(brotliDecompressSync(brotli.body).equals(plain.body)).toBe(true);

      const gzip = await ask(path, { 'accept-encoding': 'gzip, deflate' });
      expect(gzip.headers['content-encoding']).toBe('gzip');
      expect(gunzipSync(gzip.body).equals(plain.body)).toBe(true);
    }
  });

  it('are a quarter of their size on the wire', async () => {
    const paths = await assetPaths();
    const bytes = await Promise.all(
      paths.map(async (path) => (await ask(path, { 'accept-encoding': 'br' })).body.length),
    );
    expect(bytes.reduce((sum, each) => sum + each)).toBeLessThan(2_500_000);
  });

  it('may be kept for ever, under a path that changes with them', async () => {
    for (const path of await assetPaths()) {
      const { headers } = await ask(path);
      expect(headers['cache-control']).toBe('public, max-age=31536000, immutable');
      expect(headers.vary).toBe('accept-encoding');
    }
  });

  it('are not sent again to who has them', async () => {
    const [path = ''] = await assetPaths();
    const { headers } = await ask(path, { 'accept-encoding': 'br' });
    const etag = headers.etag ?? '';
    const again = await ask(path, { 'accept-encoding': 'br', 'if-none-match': `"other", W/${etag}` });
    expect(again.status).toBe(304);
    expect(again.body).toHaveLength(0);
    const otherEncoding = await ask(path, { 'accept-encoding': 'gzip', 'if-none-match': etag });
    expect(otherEncoding.status).toBe(200);
  });

  it('are served to a page of another version, but not kept', async () => {
    const [path = ''] = await assetPaths();
    const { status, headers } = await ask(path.replace(/^\/graphiql\/[^/]+/, '/graphiql/another-version'));
    expect(status).toBe(200);
    expect(headers['cache-control']).toBe('no-store');
  });

  it.each([
    '/graphiql/',
    '/graphiql/x',
    '/graphiql/x/none.js',
    '/graphiql/x/../../package.json',
    '/graphiql/x/%2e%2e/y',
  ])('are nothing else: %s is not found', async (path) => {
    expect((await ask(path)).status).toBe(404);
  });
});
