import { defaultFieldResolver, type GraphQLFieldResolver, isObjectType } from 'graphql';
import { onTestFinished } from 'vitest';
import { schema } from '../../src/graphql/schema/index.js';

export type Resolver = GraphQLFieldResolver<{ text: string }, unknown>;

/** Replaces the resolver of a field of `Message` until the end of the test. */
export function replaceResolver(field: string, change: (resolve: Resolver) => Resolver): void {
  const type = schema.getType('Message');
  if (!isObjectType(type)) throw new Error('Type not found.');
  const { [field]: definition } = type.getFields();
  if (!definition) throw new Error('Field not found.');
  const before = definition.resolve ?? defaultFieldResolver;
  definition.resolve = change(before);
  onTestFinished(() => {
    definition.resolve = before;
  });
}
