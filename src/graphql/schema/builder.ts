import SchemaBuilder from '@pothos/core';
import ErrorsPlugin from '@pothos/plugin-errors';
import RelayPlugin from '@pothos/plugin-relay';
import type { Context } from '../context.js';
import { decodeGlobalId, encodeGlobalId, nodeType } from './global-id.js';

/** Result of decoding a malformed global id: the plugin does not accept null. */
const MALFORMED = { typename: '', id: '' };

/**
 * Pothos with two plugins:
 *
 * - errors: a mutation that lists the domain errors it may throw returns a union of its payload and those errors, named
 *   `<Field>Result`;
 * - relay: `node`, global ids and connections.
 */
export const builder = new SchemaBuilder<{
  Context: Context;
  DefaultFieldNullability: false;
  DefaultEdgesNullability: { list: false; items: false };
  Scalars: {
    DateTime: { Input: Date; Output: Date };
    ID: { Input: string; Output: string };
  };
}>({
  plugins: [ErrorsPlugin, RelayPlugin],
  defaultFieldNullability: false,
  errors: {
    directResult: true,
    defaultUnionOptions: {
      name: ({ fieldName }) => `${fieldName.charAt(0).toUpperCase()}${fieldName.slice(1)}Result`,
    },
  },
  relay: {
    encodeGlobalID: (type, id) => encodeGlobalId(nodeType(type), String(id)),
    decodeGlobalID: (id) => decodeGlobalId(id) ?? MALFORMED,
    idFieldOptions: { description: 'Opaque, stable global ID.' },
    nodeTypeOptions: {
      description:
        'Object with a global ID. Global IDs are unique across all types and never change: use them as keys of client caches. `Query.node` fetches an object by its ID.',
    },
    nodeQueryOptions: {
      description:
        'Fetches an object by its global ID: a `User`, `Room`, `Message` or `Viewer`. Null if the ID is malformed or unknown, or if the viewer cannot see the object. A message can be fetched by the members of its room, a `Viewer` only by that user.',
      args: { id: { description: 'Global ID of the object.' } },
      resolve: (_root, { id }, _context, _info, load) =>
        id.typename === MALFORMED.typename ? null : load(id),
    },
    nodesQueryOptions: false,
    edgesFieldOptions: {
      description: 'Items with their cursors, in list order.',
    },
    nodesOnConnection: { description: 'Items without cursors, in list order.' },
    pageInfoFieldOptions: { description: 'Position of this page in the list.' },
    pageInfoTypeOptions: {
      description:
        'Position of a page in its list. `hasNextPage` and `hasPreviousPage` are exact for all pagination arguments.',
    },
    hasNextPageFieldOptions: { description: 'Whether the list contains items after this page.' },
    hasPreviousPageFieldOptions: { description: 'Whether the list contains items before this page.' },
    startCursorFieldOptions: {
      description:
        'Cursor of the first item. Null if the page is empty. Pass it as `before` to load the previous page.',
    },
    endCursorFieldOptions: {
      description:
        'Cursor of the last item. Null if the page is empty. Pass it as `after` to load the next page.',
    },
    afterArgOptions: {
      description: 'Returns items after this cursor. On its own, implies `first: 50`.',
    },
    lastArgOptions: {
      description:
        'Returns the last *n* items, or the last *n* before `before`: 0 to 100. Cannot be combined with `first`.',
    },
    beforeArgOptions: {
      description: 'Returns items before this cursor. On its own, implies `last: 50`.',
    },
  },
});

builder.queryType({
  description:
    'Root of all queries. The *viewer* is the user whose access token the request carries. Every field except `viewer` requires a signed-in viewer: without one, it is null, with `UNAUTHENTICATED` in `errors`. Fields are nullable so that an error in one field does not discard the others. Every entry of `errors` has a machine-readable `extensions.code`: `UNAUTHENTICATED`, `FORBIDDEN`, `BAD_USER_INPUT`, `LIMIT_EXCEEDED`, `RATE_LIMITED`, `HISTORY_GAP`, `SERVICE_UNAVAILABLE` or `INTERNAL`. For an invalid argument, `extensions.argument` names it.',
});
builder.mutationType({
  description:
    'Root of all mutations. Each mutation returns a union of its payload and the errors that clients are expected to handle: always handle `... on UserError`, because new errors may be added. Other failures are reported in `errors`, with one of the codes described at `Query`. Every mutation except `signUp` and `login` requires a signed-in viewer, and fails with `UNAUTHENTICATED` without one.',
});
builder.subscriptionType({
  description:
    'Root of all subscriptions, available over WebSocket (`graphql-transport-ws` protocol) and server-sent events (`Accept: text/event-stream`). Every subscription requires a signed-in viewer. Pass the cursor of the last event received as `after` to resume after a disconnect: no event is lost.',
});
