import { once } from 'node:events';
import { readdir, readFile } from 'node:fs/promises';
import { createServer, type IncomingHttpHeaders, request, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { brotliDecompressSync, gunzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createGraphiQL } from '../../src/transport/graphiql/index.js';

const BROWSER =
  'text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8,application/signed-exchange;v=b3;q=0.7';
const LOBBY_ID = 'Um9vbTo8L3NjcmlwdD4';
/** The status of a request that GraphiQL does not handle. */
const NOT_HANDLED = 418;

interface Received {
  status: number | undefined;
  headers: IncomingHttpHeaders;
  body: Buffer;
}

let server: Server;

beforeAll(async () => {
  const graphiql = createGraphiQL({ lobbyId: LOBBY_ID });
  server = createServer(async (incoming, response) => {
    if (!(await graphiql.handle(incoming, response))) response.writeHead(NOT_HANDLED).end();
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
});

afterAll(() => {
  server.closeAllConnections();
  server.close();
});

/** Uses node:http because fetch adds headers of its own and decodes the body. */
async function receive(
  path: string,
  headers: Record<string, string> = {},
  method = 'GET',
): Promise<Received> {
  const { port } = server.address() as AddressInfo; // it listens on TCP
  const sent = request({ host: '127.0.0.1', port, path, method, headers }).end();
  const [incoming] = await once(sent, 'response');
  const chunks: Buffer[] = [];
  for await (const chunk of incoming) chunks.push(chunk);
  return { status: incoming.statusCode, headers: incoming.headers, body: Buffer.concat(chunks) };
}

const receivePage = (path = '/graphql') => receive(path, { accept: BROWSER });

/** The names of the page's own modules. */
async function pageModules(): Promise<string[]> {
  const names = await readdir(new URL('../../src/transport/graphiql/browser', import.meta.url));
  return names.filter((name) => name.endsWith('.js'));
}

/** All files that the page refers to, and those that its scripts import. */
async function assetPaths(): Promise<string[]> {
  const html = (await receivePage()).body.toString();
  const named = [...html.matchAll(/(?:src|href)="(\.[^"]+)"/g)].map(([, path = '']) => path.slice(1));
  const folder = /"assets":"\.([^"]+)"/.exec(html)?.[1] ?? '';
  const script = (await receive(`${folder}monaco.js`)).body.toString();
  const workers = [...script.matchAll(/[\w.]+\.worker\.js/g)].map(([name]) => folder + name);
  const client = (await receive(`${folder}client.js`)).body.toString();
  const chunks = [...client.matchAll(/from '\.\/([^']+)'/g)].map(([, name]) => folder + name);
  const modules = (await pageModules()).map((name) => folder + name);
  return [...new Set([...named, ...workers, `${folder}client.js`, ...chunks, ...modules])];
}

describe('the GraphiQL page', () => {
  test('the page is served to a browser at GET /graphql', async () => {
    const { status, headers, body } = await receivePage();
    expect(status).toBe(200);
    expect(headers['content-type']).toBe('text/html; charset=utf-8');
    expect(headers.vary).toBe('Origin, Accept');
    expect(body.toString()).toMatch(/^<!doctype html>/);
    expect(body.length).toBeLessThan(10_000);
  });

  test('the page is served to a browser that opens a share link', async () => {
    expect((await receivePage('/graphql?query=%7Bviewer%7Bid%7D%7D')).status).toBe(200);
  });

  test.each([
    ['nothing', undefined],
    ['anything', '*/*'],
    ['JSON', 'application/json'],
    ['a GraphQL response', 'application/graphql-response+json, application/json;q=0.9'],
    ['JSON as much as HTML', 'text/html, application/json'],
    ['JSON more than HTML', 'text/html;q=0.5, application/json'],
    ['events', 'text/event-stream'],
    ['anything but HTML', 'text/html;q=0, */*'],
  ])('the page is not served to a client that accepts %s', async (_, accept) => {
    const { status } = await receive(
      '/graphql?query=%7B__typename%7D',
      accept === undefined ? {} : { accept },
    );
    expect(status).toBe(NOT_HANDLED);
  });

  test.each(['POST', 'OPTIONS'])('the page is not served for %s', async (method) => {
    expect((await receive('/graphql', { accept: BROWSER }, method)).status).toBe(NOT_HANDLED);
  });

  test.each(['/health', '/graphqlx', '/graphql/stream', '/graphiql'])(
    'the page is not served at %s',
    async (path) => {
      expect((await receivePage(path)).status).toBe(NOT_HANDLED);
    },
  );

  test('the root redirects a browser to the page', async () => {
    const { status, headers } = await receivePage('/');
    expect(status).toBe(307);
    expect(headers.location).toBe('./graphql');
    expect(headers['cache-control']).toBe('no-store');
    expect(headers.vary).toBe('Origin, Accept');
  });

  test.each(['*/*', 'application/json'])('the root redirects no client that accepts %s', async (accept) => {
    expect((await receive('/', { accept })).status).toBe(NOT_HANDLED);
  });

  test('the icon is served at /favicon.ico', async () => {
    const { status, headers, body } = await receive('/favicon.ico', { accept: 'image/*' });
    expect(status).toBe(200);
    expect(headers['content-type']).toBe('image/svg+xml');
    expect(body.toString()).toMatch(/^<svg /);
  });

  test('the page has the same headers and no body for HEAD', async () => {
    const { status, headers, body } = await receive('/graphql', { accept: BROWSER }, 'HEAD');
    expect(status).toBe(200);
    expect(Number(headers['content-length'])).toBeGreaterThan(1000);
    expect(body).toHaveLength(0);
  });

  test('the page refers to no other host and has no inline script', async () => {
    const html = (await receivePage()).body.toString();
    expect(html.replaceAll('http://www.w3.org/2000/svg', '')).not.toMatch(/(?:https?|wss?):|[=(]["']?\/\//);
    expect(html).not.toMatch(/\son\w+=/);
    for (const [tag] of html.matchAll(/<script[^>]*>/g)) expect(tag).toMatch(/src="\.\/|application\/json/);
  });

  test('the policy of the page allows only its own host and forbids framing', async () => {
    const { headers } = await receivePage();
    const policy = headers['content-security-policy'];
    expect(policy).toContain("default-src 'none'");
    expect(policy).toContain("script-src 'self';");
    expect(policy).toContain("connect-src 'self';");
    expect(policy).toContain("frame-ancestors 'none'");
    expect(headers['x-content-type-options']).toBe('nosniff');
  });

  test('the page has a different username and password for every visit', async () => {
    const read = async () => {
      const html = (await receivePage()).body.toString();
      return [/username: \\"(\w+)\\"/, /password: \\"([\w-]+)\\"/].map((pattern) => pattern.exec(html)?.[1]);
    };
    const [first, second] = [await read(), await read()];
    for (const [index, value] of first.entries()) {
      expect(value).toMatch(/^[\w-]{8,}$/);
      expect(value).not.toBe(second[index]);
    }
    expect((await receivePage()).headers['cache-control']).toBe('no-store');
  });
});

describe('the assets of the page', () => {
  test('assets are served with their type, plain and compressed', async () => {
    const paths = await assetPaths();
    expect(paths.length).toBeGreaterThanOrEqual(8);
    for (const path of paths) {
      const plain = await receive(path);
      expect(plain.status, path).toBe(200);
      expect(plain.headers['content-encoding']).toBeUndefined();
      expect(plain.headers['content-type']).toMatch(
        path.endsWith('.css') ? /^text\/css/ : /^text\/javascript/,
      );
      expect(plain.headers['x-content-type-options']).toBe('nosniff');

      const brotli = await receive(path, { 'accept-encoding': 'gzip, deflate, br, zstd' });
      expect(brotli.headers['content-encoding']).toBe('br');
      expect(brotliDecompressSync(brotli.body).equals(plain.body)).toBe(true);

      const gzip = await receive(path, { 'accept-encoding': 'gzip, deflate' });
      expect(gzip.headers['content-encoding']).toBe('gzip');
      expect(gunzipSync(gzip.body).equals(plain.body)).toBe(true);
    }
  });

  test('all assets are less than 2.5 MB in total with Brotli', async () => {
    const paths = await assetPaths();
    const bytes = await Promise.all(
      paths.map(async (path) => (await receive(path, { 'accept-encoding': 'br' })).body.length),
    );
    expect(bytes.reduce((sum, each) => sum + each)).toBeLessThan(2_500_000);
  });

  test('assets can be cached forever, under a versioned path', async () => {
    for (const path of await assetPaths()) {
      const { headers } = await receive(path);
      expect(headers['cache-control']).toBe('public, max-age=31536000, immutable');
      expect(headers.vary).toBe('Origin, Accept-Encoding');
    }
  });

  test('assets are not sent again to a client that has cached them', async () => {
    const [path = ''] = await assetPaths();
    const { headers } = await receive(path, { 'accept-encoding': 'br' });
    const etag = headers.etag ?? '';
    const again = await receive(path, { 'accept-encoding': 'br', 'if-none-match': `"other", W/${etag}` });
    expect(again.status).toBe(304);
    expect(again.body).toHaveLength(0);
    const otherEncoding = await receive(path, { 'accept-encoding': 'gzip', 'if-none-match': etag });
    expect(otherEncoding.status).toBe(200);
  });

  test('assets are served to a page of another version, but must not be cached', async () => {
    const [path = ''] = await assetPaths();
    const { status, headers } = await receive(
      path.replace(/^\/graphiql\/[^/]+/, '/graphiql/another-version'),
    );
    expect(status).toBe(200);
    expect(headers['cache-control']).toBe('no-store');
  });

  test.each([
    '/graphiql/',
    '/graphiql/x',
    '/graphiql/x/none.js',
    '/graphiql/x/../../package.json',
    '/graphiql/x/%2e%2e/y',
  ])('%s is not an asset', async (path) => {
    expect((await receive(path)).status).toBe(404);
  });
});

test('the build contains the page, and the worker that prepares it', async () => {
  const built = new URL('../../dist/transport/graphiql/assets.js', import.meta.url);
  const { loadGraphiQLAssets }: typeof import('../../src/transport/graphiql/assets.js') = await import(
    built.href
  );
  const assets = await loadGraphiQLAssets();

  const modules = await pageModules();
  expect(modules).toContain('page.js');
  for (const name of modules) {
    const expected = await readFile(new URL(`./browser/${name}`, built));
    const body = await assets.get(name)?.body('identity');
    expect(body?.equals(expected), name).toBe(true);
    // The same buffer, however many clients ask for it and do not read it.
    expect(await assets.get(name)?.body('identity')).toBe(body);
  }
});
