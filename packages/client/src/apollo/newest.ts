import type { ApolloCache } from '@apollo/client';
import {
  type DocumentNode,
  Kind,
  type NameNode,
  parse,
  type SelectionNode,
  type SelectionSetNode,
} from 'graphql';
import { findPath, type Operation, responseKey, selectedIn, type Variables, valueAt } from '../documents.js';

const MESSAGE_TYPES = ['Message', 'Node'];

const REVISION: DocumentNode = /* @__PURE__ */ parse('fragment Revision on Message { revision }');

const nameOf = (value: string): NameNode => ({ kind: Kind.NAME, value });

/**
 * Replaces each message of a result of which the cache has a higher `revision` by the cached copy, so that a result that
 * was under way for long does not undo a change. The document has to select `id` and `revision`.
 */
export function keepNewest<Data>(
  data: Data,
  { definition, fragments }: Operation,
  variables: Variables,
  cache: ApolloCache,
): Data {
  function newest(value: unknown, selectionSet: SelectionSetNode): unknown {
    if (Array.isArray(value)) return value.map((each) => newest(each, selectionSet));
    if (typeof value !== 'object' || value === null) return value;
    const copy = Object.fromEntries(
      Object.entries(value).map(([key, each]) => [key, newest(each, selectionSetOf(key, selectionSet))]),
    );
    return copy.__typename === 'Message' ? { ...copy, ...cached(copy, selectionSet) } : copy;
  }

  /** What is selected below a response key. */
  function selectionSetOf(key: string, selectionSet: SelectionSetNode): SelectionSetNode {
    const selections: SelectionNode[] = [];
    for (const { field } of selectedIn(selectionSet, fragments))
      if (responseKey(field) === key) selections.push(...(field.selectionSet?.selections ?? []));
    return { kind: Kind.SELECTION_SET, selections };
  }

  /** The copy of the cache, if it is newer. */
  function cached(message: object, selectionSet: SelectionSetNode): object | null {
    const at = (name: string): unknown =>
      valueAt(message, findPath(selectionSet, fragments, [name], MESSAGE_TYPES));
    const id = at('id');
    const revision = at('revision');
    if (typeof id !== 'string' || typeof revision !== 'number') return null;
    const key = cache.identify({ __typename: 'Message', id });
    if (key === undefined) return null;
    const known = cache.readFragment<{ revision: number }>({ id: key, fragment: REVISION })?.revision ?? 0;
    if (known <= revision) return null;
    const typeCondition = { kind: Kind.NAMED_TYPE, name: nameOf('Message') } as const;
    const whole = {
      kind: Kind.FRAGMENT_DEFINITION,
      name: nameOf('Cached'),
      typeCondition,
      selectionSet,
    } as const;
    return cache.readFragment<Record<string, unknown>>({
      id: key,
      fragmentName: 'Cached',
      fragment: { kind: Kind.DOCUMENT, definitions: [whole, ...fragments.values()] },
      variables,
      returnPartialData: true,
    });
  }

  // The copy has the same shape.
  return newest(data, definition.selectionSet) as Data;
}
