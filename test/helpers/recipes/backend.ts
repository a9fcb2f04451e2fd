import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { stopAtEnd } from '../stopping.js';

/** The app of a recipe, as a frontend's own server has it. */
export interface RecipeApp {
  /** The bundled code. */
  readonly script: string;
  /** Issues a valid token. */
  readonly currentToken: () => Promise<string>;
}

/** A server for the pages, the code and the tokens of recipes, from an origin of its own. */
export interface Backend {
  readonly origin: string;
  /** Serves an app, and returns the address of its page. */
  add(app: RecipeApp): string;
}

const PAGE =
  '<!doctype html><title>Recipe</title><div id="root"></div><script type="module" src="recipe.js"></script>';

/** Starts a backend on a port, or on a free one. */
export async function startBackend(port = 0): Promise<Backend> {
  const apps: RecipeApp[] = [];
  const server = createServer(async (request, response) => {
    const [, index, file = ''] = request.url?.split(/[/?]/) ?? [];
    const app = apps[Number(index)];
    if (app && file === 'token') response.end(await app.currentToken());
    else if (app && file === 'recipe.js')
      response.setHeader('content-type', 'text/javascript').end(app.script);
    else response.setHeader('content-type', 'text/html').end(PAGE);
  }).listen(port, 'localhost');
  await once(server, 'listening');
  stopAtEnd(async () => {
    server.closeAllConnections();
    server.close();
  });
  // A server that listens on TCP has such an address.
  const origin = `http://localhost:${(server.address() as AddressInfo).port}`;
  return { origin, add: (app) => `${origin}/${apps.push(app) - 1}/` };
}
