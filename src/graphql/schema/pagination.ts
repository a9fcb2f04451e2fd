import type { ArgBuilder } from '@pothos/core';
import type { Page } from '../../domain/page.js';
import type { builder } from './builder.js';

type Types = typeof builder.$inferSchemaTypes;

/** The four arguments of every connection. `neither` says what is returned without any. */
export function connectionArguments(t: ArgBuilder<Types>, neither: string) {
  return {
    ...t.connectionArgs(),
    first: t.int({
      description: `So many from the start, or from \`after\`: 0 to 100; not together with \`last\`. ${neither}`,
    }),
  };
}

/** An item of a list with the cursor that stands for its place. */
export interface Edge<Item> {
  readonly cursor: string;
  readonly node: Item;
}

/** A page with the fields of a connection. */
export function connection<Item>({ items, hasNextPage, hasPreviousPage }: Page<Edge<Item>>) {
  return {
    edges: items,
    pageInfo: {
      hasNextPage,
      hasPreviousPage,
      startCursor: items[0]?.cursor ?? null,
      endCursor: items.at(-1)?.cursor ?? null,
    },
  };
}
