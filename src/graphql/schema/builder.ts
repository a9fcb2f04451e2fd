import SchemaBuilder from '@pothos/core';
import ErrorsPlugin from '@pothos/plugin-errors';
import RelayPlugin from '@pothos/plugin-relay';
import ScopeAuthPlugin from '@pothos/plugin-scope-auth';
import { type Context, viewerOf } from '../context.js';
import { decodeGlobalId, encodeGlobalId, nodeType } from './global-id.js';

/** What a malformed global id decodes to: the plugin has no place for null. */
const MALFORMED = { typename: '', id: '' };

/**
 * Pothos with three plugins:
 *
 * - scope-auth: a root field requires a viewer, unless it has `skipTypeScopes`;
 * - errors: a mutation that names the domain's errors it may throw gets a result union of them and its payload, by the
 *   contract's name;
 * - relay: `node`, global ids and connections.
 */
export const builder = new SchemaBuilder<{
  Context: Context;
  AuthScopes: { viewer: boolean };
  DefaultFieldNullability: false;
  DefaultEdgesNullability: { list: false; items: false };
  Scalars: {
    DateTime: { Input: Date; Output: Date };
    ID: { Input: string; Output: string };
  };
}>({
  plugins: [ScopeAuthPlugin, ErrorsPlugin, RelayPlugin],
  defaultFieldNullability: false,
  scopeAuth: {
    authorizeOnSubscribe: true,
    authScopes: (context) => ({
      // Reads the authentication only when a field asks for it: a context that several viewers share has none.
      viewer() {
        viewerOf(context);
        return true;
      },
    }),
  },
  errors: {
    directResult: true,
    defaultUnionOptions: {
      name: ({ fieldName }) => `${fieldName.charAt(0).toUpperCase()}${fieldName.slice(1)}Result`,
    },
  },
  relay: {
    encodeGlobalID: (type, id) => encodeGlobalId(nodeType(type), String(id)),
    decodeGlobalID: (id) => decodeGlobalId(id) ?? MALFORMED,
    idFieldOptions: { description: 'Opaque, global and stable.' },
    nodeTypeOptions: {
      description: 'Anything that `node(id:)` can return. Ids are opaque, global and stable.',
    },
    nodeQueryOptions: {
      description: 'Whatever has this id; null where there is none, or none for this viewer.',
      args: { id: { description: 'A global id.' } },
      resolve: (_root, { id }, _context, _info, load) =>
        id.typename === MALFORMED.typename ? null : load(id),
    },
    nodesQueryOptions: false,
    edgesFieldOptions: {
      description: 'The items with their cursors, in the order of the list.',
    },
    nodesOnConnection: { description: 'The items alone, for clients that need no cursors.' },
    pageInfoFieldOptions: { description: 'Where this page lies in the list.' },
    pageInfoTypeOptions: {
      description: 'Where a page lies in its list. Exact in both directions, whichever end it was read from.',
    },
    hasNextPageFieldOptions: { description: 'Whether the list goes on after this page.' },
    hasPreviousPageFieldOptions: { description: 'Whether the list has anything before this page.' },
    startCursorFieldOptions: { description: "The first edge's cursor; null in an empty page." },
    endCursorFieldOptions: { description: "The last edge's cursor; null in an empty page." },
    afterArgOptions: {
      description: 'A cursor: only what lies after it. Alone, it means `first: 50`.',
    },
    lastArgOptions: {
      description: 'So many from the end, or up to `before`: 0 to 100; not together with `first`.',
    },
    beforeArgOptions: {
      description: 'A cursor: only what lies before it. Alone, it means `last: 50`.',
    },
  },
});

builder.queryType({ description: 'What can be read.', authScopes: { viewer: true } });
builder.mutationType({
  description:
    'What can be done. Expected failures are data: each result is a union of a payload and errors.',
  authScopes: { viewer: true },
});
builder.subscriptionType({
  description: 'What happens, as it happens: over WebSocket (graphql-transport-ws) or server-sent events.',
  authScopes: { viewer: true },
});
