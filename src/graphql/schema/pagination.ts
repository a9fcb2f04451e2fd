import type { ArgBuilder, ObjectRef } from '@pothos/core';
import type { Page } from '../../domain/page.js';
import { builder } from './builder.js';

type Types = typeof builder.$inferSchemaTypes;

interface PageInfoShape {
  readonly hasNextPage: boolean;
  readonly hasPreviousPage: boolean;
  readonly startCursor: string | null;
  readonly endCursor: string | null;
}

const PageInfo = builder.objectRef<PageInfoShape>('PageInfo').implement({
  description: 'Where a page lies in its list. Exact in both directions, whichever end it was read from.',
  fields: (t) => ({
    hasNextPage: t.exposeBoolean('hasNextPage', { description: 'Whether the list goes on after this page.' }),
    hasPreviousPage: t.exposeBoolean('hasPreviousPage', {
      description: 'Whether the list has anything before this page.',
    }),
    startCursor: t.exposeString('startCursor', {
      nullable: true,
      description: "The first edge's cursor; null in an empty page.",
    }),
    endCursor: t.exposeString('endCursor', {
      nullable: true,
      description: "The last edge's cursor; null in an empty page.",
    }),
  }),
});

/** The four arguments of every connection. `neither` says what is returned without any. */
export function connectionArguments(t: ArgBuilder<Types>, neither: string) {
  return {
    first: t.int({
      description: `So many from the start, or from \`after\`: 0 to 100; not together with \`last\`. ${neither}`,
    }),
    after: t.string({ description: 'A cursor: only what lies after it. Alone, it means `first: 50`.' }),
    last: t.int({
      description: 'So many from the end, or up to `before`: 0 to 100; not together with `first`.',
    }),
    before: t.string({ description: 'A cursor: only what lies before it. Alone, it means `last: 50`.' }),
  };
}

/** An item of a list with the cursor that stands for its place. */
export interface Edge<Item> {
  readonly cursor: string;
  readonly node: Item;
}

/** The connection type over edges that are known already, by the names of the Relay specification. */
export function connectionType<Item, Shape extends Page<Edge<Item>> = Page<Edge<Item>>>(
  name: string,
  edge: ObjectRef<Types, Edge<Item>>,
  node: ObjectRef<Types, Item>,
  description: string,
) {
  return builder.objectRef<Shape>(name).implement({
    description,
    fields: (t) => ({
      edges: t.field({
        type: [edge],
        description: 'The items with their cursors, in the order of the list.',
        resolve: ({ items }) => [...items],
      }),
      nodes: t.field({
        type: [node],
        description: 'The items alone, for clients that need no cursors.',
        resolve: ({ items }) => items.map((item) => item.node),
      }),
      pageInfo: t.field({
        type: PageInfo,
        description: 'Where this page lies in the list.',
        resolve: ({ items, hasNextPage, hasPreviousPage }) => ({
          hasNextPage,
          hasPreviousPage,
          startCursor: items[0]?.cursor ?? null,
          endCursor: items.at(-1)?.cursor ?? null,
        }),
      }),
    }),
  });
}
