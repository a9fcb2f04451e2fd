/**
 * The browser's half of GraphiQL, served as a module beside Yoga's bundle and graphql-ws' client. It replaces the
 * bundle's fetcher, whose WebSocket never sees the Headers pane. A string because it runs in the page: it is not compiled
 * with the server, and `tsc` would not copy a plain `.js` file.
 */
export const graphiqlPageScript = `
import { createClient } from './client.js';

const { assets, tabs } = JSON.parse(document.getElementById('config').textContent);
const endpoint = new URL(location.pathname, location.origin);

// ---- Who the page is -------------------------------------------------------------------------------------------------
// The last authorization that was issued to this browser tab or used in it. It fills in where the Headers pane has none,
// so nobody pastes a token into four tabs; it dies with the browser tab. An empty one in the pane means: as nobody.

const remembered = 'parley:authorization';

const authorize = (headers) => {
  const isAuthorization = ([name]) => name.toLowerCase() === 'authorization';
  const entries = Object.entries(headers);
  const own = entries.find(isAuthorization)?.[1];
  if (own) sessionStorage.setItem(remembered, own);
  const authorization = own ?? sessionStorage.getItem(remembered);
  const others = Object.fromEntries(entries.filter((entry) => !isAuthorization(entry)));
  return authorization ? { ...others, authorization } : others;
};

// Whichever mutation it was (signUp, login …): a payload with an accessToken signs in.
const signInWith = (result) => {
  for (const payload of Object.values(result.data ?? {}))
    if (typeof payload?.accessToken === 'string')
      sessionStorage.setItem(remembered, 'Bearer ' + payload.accessToken);
  return result;
};

// ---- Operations ------------------------------------------------------------------------------------------------------

async function fetchOnce(request, headers) {
  const response = await fetch(endpoint, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      accept: 'application/graphql-response+json, application/json',
      ...authorize(headers),
    },
    body: JSON.stringify(request),
  });
  const body = await response.text();
  try {
    return signInWith(JSON.parse(body));
  } catch {
    return { errors: [{ message: 'HTTP ' + response.status + ': ' + (body || response.statusText) }] };
  }
}

// Headers edited while a subscription runs are used when it reconnects. They are always its own tab's: GraphiQL ends a
// subscription when its tab is left.
let editedHeaders;

function currentHeaders(atStart) {
  try {
    return editedHeaders === undefined ? atStart : JSON.parse(editedHeaders || '{}');
  } catch {
    return atStart; // half typed
  }
}

// A client, and so a socket, for each run: a new run must never reuse a socket that was opened with an older token.
function subscribe(request, headers, resumable) {
  editedHeaders = undefined;
  return {
    subscribe(observer) {
      const client = createClient({
        url: endpoint.href.replace(/^http/, 'ws'),
        connectionParams: () => authorize(currentHeaders(headers)),
      });
      const stop = client.subscribe(request, {
        next(result) {
          // The client subscribes again with this very object after a lost connection.
          const cursor = Object.values(result.data ?? {})[0]?.cursor;
          if (resumable && cursor) request.variables = { ...request.variables, after: cursor };
          observer.next(result);
        },
        error: (cause) => observer.error(explain(cause)),
        complete: () => observer.complete(),
      });
      return { unsubscribe: stop };
    },
  };
}

// A close event would be shown as {"isTrusted": true}.
const explain = (cause) =>
  typeof cause?.code === 'number'
    ? [{ message: ('The socket was closed: ' + cause.code + ' ' + cause.reason).trim() }]
    : cause;

function fetcher(request, { headers, documentAST } = {}) {
  const operation = documentAST?.definitions.find(
    ({ kind, name }) =>
      kind === 'OperationDefinition' && (!request.operationName || name?.value === request.operationName),
  );
  if (operation?.operation !== 'subscription') return fetchOnce(request, headers ?? {});
  const resumable = operation.variableDefinitions.some(({ variable }) => variable.name.value === 'after');
  return subscribe(request, headers ?? {}, resumable);
}

// ---- The page --------------------------------------------------------------------------------------------------------

const workers = { editorWorkerService: 'editor.worker.js', json: 'json.worker.js', graphql: 'graphql.worker.js' };
self.MonacoEnvironment = { globalAPI: false, getWorkerUrl: (_, label) => assets + workers[label] };

// A share link opens as a tab of its own, before the usual ones.
const params = new URLSearchParams(location.search);
const shared = params.get('query') && { query: params.get('query'), variables: params.get('variables') };

YogaGraphiQL.renderYogaGraphiQL(document.getElementById('root'), {
  title: 'Parley',
  logo: document.getElementById('logo').innerHTML,
  fetcher,
  defaultTabs: shared ? [shared, ...tabs] : tabs,
  query: shared?.query,
  variables: shared?.variables ?? undefined,
  onEditHeaders: (text) => {
    editedHeaders = text;
  },
  // The stock page copies every edit into the address, where a password would end up in logs.
  onEditQuery: () => {},
  // Tabs hold passwords and the tokens of one visit: kept over a reload, and no longer.
  storage: sessionStorage,
  shouldPersistHeaders: false,
  defaultEditorToolsVisibility: 'headers',
});
`;
