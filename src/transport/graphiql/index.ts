import { randomBytes, randomInt } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { once } from '../../lib/once.js';
import { preferredEncoding, prefersHtml } from '../http/negotiation.js';
import { type GraphiQLAssets, loadGraphiQLAssets } from './assets.js';
import { openingTabs } from './tabs.js';

export interface GraphiQLOptions {
  /** Global id of the room that the opening tabs use; null: they tell to create one first. */
  lobbyId: string | null;
}

export interface GraphiQL {
  /**
   * Answers the page (GET /graphql of a browser) and its assets (below /graphiql/). False, with nothing written, where the
   * request is for something else. Rejects, with nothing written, where the assets can't be loaded; the next call tries again.
   */
  handle(request: IncomingMessage, response: ServerResponse): Promise<boolean>;
}

const PAGE_PATH = '/graphql';
const ASSET_PATH = /^\/graphiql\/([\w-]+)\/([\w.-]+)$/;

/**
 * Nothing but this server's own files, and nothing inline but styles, which Monaco writes as it runs.
 * `'self'` in connect-src covers the WebSocket of the same host (CSP 3, 6.7.2.8).
 */
const PAGE_POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "worker-src 'self'",
  "style-src 'self' 'unsafe-inline'",
  "font-src 'self' data:",
  "img-src 'self' data:",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ');

/** Loads nothing before the first request for it: most instances never show GraphiQL. */
export function createGraphiQL({ lobbyId }: GraphiQLOptions): GraphiQL {
  const assets = once(loadGraphiQLAssets);
  return {
    async handle(request, response) {
      if (request.method !== 'GET' && request.method !== 'HEAD') return false;
      const [path = ''] = (request.url ?? '').split('?');
      if (path.startsWith('/graphiql/')) await sendAsset(path, await assets(), request, response);
      else if (path === PAGE_PATH && prefersHtml(request))
        sendPage(lobbyId, await assets(), request, response);
      else return false;
      return true;
    },
  };
}

function sendPage(
  lobbyId: string | null,
  { version }: GraphiQLAssets,
  request: IncomingMessage,
  response: ServerResponse,
): void {
  const html = Buffer.from(renderPage(`/graphiql/${version}/`, lobbyId));
  response.writeHead(200, {
    'content-type': 'text/html; charset=utf-8',
    'content-length': html.length,
    // A few KB with a guest's name and password of their own in them: never shared, never stored.
    'cache-control': 'no-store',
    'content-security-policy': PAGE_POLICY,
    'referrer-policy': 'no-referrer',
    vary: 'accept',
    'x-content-type-options': 'nosniff',
  });
  response.end(request.method === 'HEAD' ? undefined : html);
}

async function sendAsset(
  path: string,
  assets: GraphiQLAssets,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const [, version, name = ''] = ASSET_PATH.exec(path) ?? [];
  const asset = assets.get(name);
  if (asset === undefined) {
    response.writeHead(404, { 'cache-control': 'no-store' }).end();
    return;
  }
  const encoding = preferredEncoding(request);
  const etag = `"${assets.version}-${encoding}"`;
  const headers = {
    // During a rolling upgrade the page may come from one version and its assets from another: serve, but don't keep.
    'cache-control': version === assets.version ? 'public, max-age=31536000, immutable' : 'no-store',
    etag,
    vary: 'accept-encoding',
    'x-content-type-options': 'nosniff',
  };
  if (request.headers['if-none-match']?.includes(etag)) {
    response.writeHead(304, headers).end();
    return;
  }
  const body = await asset.body(encoding);
  response.writeHead(200, {
    ...headers,
    'content-type': asset.type,
    'content-length': body.length,
    ...(encoding !== 'identity' && { 'content-encoding': encoding }),
  });
  response.end(request.method === 'HEAD' ? undefined : body);
}

const icon = `\
<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32" width="32" height="32"><path fill="#d60690" d="M6 4h20a4 4 0 0 1 \
4 4v12a4 4 0 0 1-4 4H15l-8 6v-6H6a4 4 0 0 1-4-4V8a4 4 0 0 1 4-4z"/><g fill="#fff"><circle cx="10" cy="14" r="2"/><circle \
cx="16" cy="14" r="2"/><circle cx="22" cy="14" r="2"/></g></svg>`;

/**
 * Tabs that are there from the start keep a stale transform from their entrance, which the first press on each brings back:
 * it jumps away and the click is lost (graphiql 5, stock Yoga too). Without transforms a dragged tab follows in steps.
 */
const STYLE = '.graphiql-tab { transform: none !important; }';

function renderPage(assets: string, lobbyId: string | null): string {
  const tabs = openingTabs({ lobbyId, username: `guest${randomDigits()}`, password: randomPassword() });
  return `<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8">
    <meta name="viewport" content="width=device-width, initial-scale=1">
    <title>Parley GraphiQL</title>
    <link rel="icon" href="data:image/svg+xml,${encodeURIComponent(icon)}">
    <link rel="stylesheet" href="${assets}graphiql.css">
    <style>${STYLE}</style>
    <script type="application/json" id="config">${scriptJson({ assets, tabs })}</script>
    <script defer src="${assets}graphiql.js"></script>
    <script type="module" src="${assets}page.js"></script>
  </head>
  <body class="no-focus-outline">
    <noscript>GraphiQL needs JavaScript.</noscript>
    <template id="logo">${icon}</template>
    <div id="root"></div>
  </body>
</html>
`;
}

/** Inside a script element only `<` could end it, or open a comment. */
function scriptJson(value: unknown): string {
  return JSON.stringify(value).replaceAll('<', '\\u003c');
}

/** One of 60 million, so that the name is likely to be free; letters and digits are valid whatever the rules are. */
function randomDigits(): string {
  return randomInt(36 ** 5)
    .toString(36)
    .padStart(5, '0');
}

/** Not a fixed one: whoever reads this file could then sign in as any guest. */
function randomPassword(): string {
  return randomBytes(12).toString('base64url');
}
