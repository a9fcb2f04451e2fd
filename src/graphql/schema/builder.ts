import SchemaBuilder from '@pothos/core';
import ErrorsPlugin from '@pothos/plugin-errors';
import ScopeAuthPlugin from '@pothos/plugin-scope-auth';
import { type Context, viewerOf } from '../context.js';

/**
 * Pothos with two plugins:
 *
 * - scope-auth: a root field requires a viewer, unless it has `skipTypeScopes`;
 * - errors: a mutation that names the domain's errors it may throw gets a result union of them and its payload, by the
 *   contract's name.
 */
export const builder = new SchemaBuilder<{
  Context: Context;
  AuthScopes: { viewer: boolean };
  DefaultFieldNullability: false;
  Scalars: {
    DateTime: { Input: Date; Output: Date };
    ID: { Input: string; Output: string };
  };
}>({
  plugins: [ScopeAuthPlugin, ErrorsPlugin],
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
