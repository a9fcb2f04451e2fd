import SchemaBuilder from '@pothos/core';
import ErrorsPlugin from '@pothos/plugin-errors';
import type { Context } from '../context.js';

/**
 * Pothos with its errors plugin: a mutation that names the domain's errors it may throw gets a result union of them
 * and its payload, by the contract's name.
 */
export const builder = new SchemaBuilder<{
  Context: Context;
  DefaultFieldNullability: false;
  Scalars: {
    DateTime: { Input: Date; Output: Date };
    ID: { Input: string; Output: string };
  };
}>({
  plugins: [ErrorsPlugin],
  defaultFieldNullability: false,
  errors: {
    directResult: true,
    defaultUnionOptions: {
      name: ({ fieldName }) => `${fieldName.charAt(0).toUpperCase()}${fieldName.slice(1)}Result`,
    },
  },
});

builder.queryType({ description: 'What can be read.' });
builder.mutationType({
  description:
    'What can be done. Expected failures are data: each result is a union of a payload and errors.',
});
builder.subscriptionType({
  description: 'What happens, as it happens: over WebSocket (graphql-transport-ws) or server-sent events.',
});
