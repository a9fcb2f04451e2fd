import type { IncomingMessage, ServerResponse } from 'node:http';
import { once } from '../../lib/once.js';
import { preferredEncoding, prefersHtml } from '../http/negotiation.js';
import { type GraphiQLAssets, loadGraphiQLAssets } from './assets.js';
import { ICON, renderPage } from './html.js';

export interface GraphiQLOptions {
  /** Global id of the room that the default tabs use. If null, they start with one that creates a room. */
  lobbyId: string | null;
}

export interface GraphiQL {
  /**
   * Serves the page (GET /graphql from a browser), its icon and its assets (below /graphiql/), and redirects a browser from
   * the root to the page. Resolves to false, with nothing written, for any other request. Rejects, with nothing written, if the assets cannot be loaded; the next call tries again.
   */
  handle(request: IncomingMessage, response: ServerResponse): Promise<boolean>;
}

const PAGE_PATH = '/graphql';
const ROOT_PATH = '/';
/** Browsers request this path by themselves, also for a JSON response. */
const ICON_PATH = '/favicon.ico';
const ASSETS_PATH = '/graphiql/';
const ASSET_PATTERN = /^\/graphiql\/([\w-]+)\/([\w.-]+)$/;

/**
 * Allows only this server's own files, and nothing inline but styles, which Monaco adds at run time.
 * `'self'` in connect-src includes the WebSocket of the same host (CSP 3, 6.7.2.8).
 */
const CONTENT_SECURITY_POLICY = [
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

/** Loads the assets at the first request for the page or one of them: most instances never serve GraphiQL. */
export function createGraphiQL({ lobbyId }: GraphiQLOptions): GraphiQL {
  const assets = once(loadGraphiQLAssets);
  return {
    async handle(request, response) {
      if (request.method !== 'GET' && request.method !== 'HEAD') return false;
      const [path = ''] = (request.url ?? '').split('?');
      if (path.startsWith(ASSETS_PATH)) await sendAsset(path, await assets(), request, response);
      // A share link (`?query=`) is a page too: a client that wants data does not prefer HTML.
      else if (path === PAGE_PATH && prefersHtml(request))
        sendPage(lobbyId, await assets(), request, response);
      else if (path === ROOT_PATH && prefersHtml(request)) redirectToPage(response);
      else if (path === ICON_PATH) sendIcon(request, response);
      else return false;
      return true;
    },
  };
}

/** Temporary and not stored: what the root serves may change. */
function redirectToPage(response: ServerResponse): void {
  response.writeHead(307, {
    // Relative: a proxy may serve everything below a path of its own.
    location: `.${PAGE_PATH}`,
    'content-length': '0',
    'cache-control': 'no-store',
    vary: 'Origin, Accept',
  });
  response.end();
}

function sendIcon(request: IncomingMessage, response: ServerResponse): void {
  const svg = Buffer.from(ICON);
  response.writeHead(200, {
    'content-type': 'image/svg+xml',
    'content-length': svg.length,
    'cache-control': 'public, max-age=86400',
    'content-security-policy': "default-src 'none'",
    'x-content-type-options': 'nosniff',
  });
  response.end(request.method === 'HEAD' ? undefined : svg);
}

function sendPage(
  lobbyId: string | null,
  { version }: GraphiQLAssets,
  request: IncomingMessage,
  response: ServerResponse,
): void {
  const html = Buffer.from(renderPage(`.${ASSETS_PATH}${version}/`, lobbyId));
  response.writeHead(200, {
    'content-type': 'text/html; charset=utf-8',
    'content-length': html.length,
    // The page contains a user name and password for this visit, so it is neither shared nor stored.
    'cache-control': 'no-store',
    'content-security-policy': CONTENT_SECURITY_POLICY,
    'referrer-policy': 'no-referrer',
    vary: 'Origin, Accept',
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
  const [, version, name = ''] = ASSET_PATTERN.exec(path) ?? [];
  const asset = assets.get(name);
  if (asset === undefined) {
    response.writeHead(404, { 'cache-control': 'no-store' }).end();
    return;
  }
  const encoding = preferredEncoding(request);
  const etag = `"${assets.version}-${encoding}"`;
  const headers = {
    // During a rolling upgrade, one version may serve the page and another its assets: those must not be cached.
    'cache-control': version === assets.version ? 'public, max-age=31536000, immutable' : 'no-store',
    etag,
    vary: 'Origin, Accept-Encoding',
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
