import type { ArgBuilder } from '@pothos/core';
import type { Page } from '../../domain/page.js';
import type { builder } from './builder.js';

type Types = typeof builder.$inferSchemaTypes;

/** The four arguments of every connection. `defaultPage` describes what is returned if all are omitted. */
export function connectionArguments(t: ArgBuilder<Types>, defaultPage: string) {
  return {
    ...t.connectionArgs(),
    first: t.int({
      description: `Returns the first *n* items, or the first *n* after \`after\`: 0 to 100. Cannot be combined with \`last\`. If no pagination argument is given, ${defaultPage}.`,
    }),
  };
}

/** An item of a list and its cursor. */
export interface Edge<Item> {
  readonly cursor: string;
  readonly node: Item;
}

/** Converts a page to the fields of a connection. */
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
