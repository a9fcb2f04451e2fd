import type { ApolloCache } from '@apollo/client';
import { Kind, type SelectionNode, type SelectionSetNode } from 'graphql';
import { findPath, type Operation, responseKey, selectedIn, type Variables, valueAt } from '../documents.js';

const MESSAGE_TYPES = ['Message', 'Node'];

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
    const read = (selections: readonly SelectionNode[]): Record<string, unknown> | null =>
      cache.readFragment<Record<string, unknown>>({
        from: { __typename: 'Message', id },
        fragmentName: 'Cached',
        fragment: {
          kind: Kind.DOCUMENT,
          definitions: [
            {
              kind: Kind.FRAGMENT_DEFINITION,
              name: { kind: Kind.NAME, value: 'Cached' },
              typeCondition: { kind: Kind.NAMED_TYPE, name: { kind: Kind.NAME, value: 'Message' } },
              selectionSet: { kind: Kind.SELECTION_SET, selections },
            },
            ...fragments.values(),
          ],
        },
        variables,
        returnPartialData: true,
      });
    const known = read([{ kind: Kind.FIELD, name: { kind: Kind.NAME, value: 'revision' } }])?.revision;
    return typeof known === 'number' && known > revision ? read(selectionSet.selections) : null;
  }

  // The copy has the same shape.
  return newest(data, definition.selectionSet) as Data;
}
