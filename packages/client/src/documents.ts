import {
  type DocumentNode,
  type FieldNode,
  type FragmentDefinitionNode,
  getOperationAST,
  Kind,
  type OperationDefinitionNode,
  print,
  type SelectionSetNode,
  valueFromASTUntyped,
} from 'graphql';
import { ParleyError } from './errors.js';

/** The variables of an operation, of which only a few are known by name. */
export type Variables = Readonly<Record<string, unknown>>;

/** Copies the variables of a typed document, so that they can be looked up by name. */
export function variablesOf(variables: object | undefined): Variables {
  return { ...variables };
}

/** What the server is sent. */
export interface Payload {
  readonly query: string;
  readonly variables: Variables;
}

type Fragments = ReadonlyMap<string, FragmentDefinitionNode>;

/** The only operation of a document. */
export interface Operation {
  readonly document: DocumentNode;
  readonly definition: OperationDefinitionNode;
  readonly fragments: Fragments;
}

/** @throws ParleyError if the document has not exactly one operation. */
export function operationOf(document: DocumentNode): Operation {
  const definition = getOperationAST(document);
  if (!definition) throw new ParleyError('BAD_USER_INPUT', 'The document needs one operation.');
  const fragments = new Map<string, FragmentDefinitionNode>();
  for (const each of document.definitions)
    if (each.kind === Kind.FRAGMENT_DEFINITION) fragments.set(each.name.value, each);
  return { document, definition, fragments };
}

export function payloadOf({ document }: Operation, variables: Variables): Payload {
  return { query: print(document), variables };
}

/** A field as it is selected somewhere in a selection set, directly or by fragments. */
export interface Selected {
  readonly field: FieldNode;
  /** What decides whether it is in the result: type conditions of the fragments around it, and directives. */
  readonly conditions: readonly string[];
}

export function* selectedIn(
  selectionSet: SelectionSetNode | undefined,
  fragments: Fragments,
  outer: readonly string[] = [],
): Generator<Selected> {
  for (const selection of selectionSet?.selections ?? []) {
    const conditions = selection.directives?.length ? [...outer, '@'] : outer;
    if (selection.kind === Kind.FIELD) yield { field: selection, conditions };
    else {
      const fragment =
        selection.kind === Kind.INLINE_FRAGMENT ? selection : fragments.get(selection.name.value);
      const type = fragment?.typeCondition?.name.value;
      yield* selectedIn(fragment?.selectionSet, fragments, type ? [...conditions, type] : conditions);
    }
  }
}

/**
 * Finds the response keys that lead to a field, by the fields' names, through aliases and fragments. A selection that
 * depends on a directive, or on a type that is not among the given ones, does not count.
 */
export function findPath(
  selectionSet: SelectionSetNode | undefined,
  fragments: Fragments,
  [name, ...rest]: readonly string[],
  possibleTypes: readonly string[],
): readonly string[] | null {
  if (!name) return [];
  for (const { field, conditions } of selectedIn(selectionSet, fragments))
    if (field.name.value === name && conditions.every((each) => possibleTypes.includes(each))) {
      const path = findPath(field.selectionSet, fragments, rest, possibleTypes);
      if (path) return [responseKey(field), ...path];
    }
  return null;
}

/** The root fields of an operation, also those that a directive may leave out. */
export function rootFields({ definition, fragments }: Operation): readonly FieldNode[] {
  return Array.from(selectedIn(definition.selectionSet, fragments), ({ field }) => field);
}

export function responseKey({ alias, name }: FieldNode): string {
  return (alias ?? name).value;
}

/** The value below an object at a path; undefined if it is not there, or if there is no path. */
export function valueAt(value: unknown, path: readonly string[] | null | undefined): unknown {
  return path?.reduce<unknown>((object, key) => Reflect.get(Object(object), key), value);
}

/** An argument of a field, with the variables filled in. */
export function argumentOf(field: FieldNode, name: string, variables: Variables): unknown {
  const argument = field.arguments?.find((each) => each.name.value === name);
  return argument && valueFromASTUntyped(argument.value, { ...variables });
}

/**
 * Whether an operation may be sent again though the server may have run it: a query, or a mutation of nothing but
 * `sendMessage` with a `clientMessageId`.
 */
export function isRepeatable(operation: Operation, variables: Variables): boolean {
  return (
    operation.definition.operation === 'query' ||
    rootFields(operation).every(
      (field) =>
        field.name.value === 'sendMessage' &&
        valueAt(argumentOf(field, 'input', variables), ['clientMessageId']) != null,
    )
  );
}
