import { brandWithType, type ObjectRef } from '@pothos/core';
import type { Context } from '../context.js';
import { builder } from './builder.js';
import { decodeGlobalId, encodeGlobalId, type NodeType } from './global-id.js';

type Types = typeof builder.$inferSchemaTypes;

export const Node = builder.interfaceRef<{ readonly id: string }>('Node').implement({
  description: 'Anything that `node(id:)` can return. Ids are opaque, global and stable.',
  fields: (t) => ({ id: t.exposeID('id', { description: 'Opaque, global and stable.' }) }),
});

type Finder = (id: string, context: Context) => Promise<object | null>;
const finders = new Map<NodeType, { ref: ObjectRef<Types, object>; find: Finder }>();

/**
 * Gives a type its global id, and tells `node(id:)` how to find it again: null where it is not there, or not for
 * this viewer.
 */
export function implementNode<Row extends { readonly id: string }>(
  type: NodeType,
  ref: ObjectRef<Types, Row>,
  find: (id: string, context: Context) => Promise<Row | null>,
): void {
  finders.set(type, { ref, find });
  builder.objectField(ref, 'id', (t) =>
    t.id({ description: 'Opaque, global and stable.', resolve: (row) => encodeGlobalId(type, row.id) }),
  );
}

builder.queryField('node', (t) =>
  t.field({
    type: Node,
    nullable: true,
    description: 'Whatever has this id; null where there is none, or none for this viewer.',
    args: { id: t.arg.id({ required: true, description: 'A global id.' }) },
    async resolve(_root, { id }, context) {
      const decoded = decodeGlobalId(id);
      const finder = decoded && finders.get(decoded.type);
      const found = decoded && finder && (await finder.find(decoded.id, context));
      if (!found) return null;
      // A copy: the brand tells GraphQL the type of this one result, and rows are shared.
      const branded = { ...found, id: decoded.id };
      brandWithType(branded, finder.ref);
      return branded;
    },
  }),
);
