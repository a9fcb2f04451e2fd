import {
  type DirectiveNode,
  type DocumentNode,
  type FragmentDefinitionNode,
  GraphQLError,
  GraphQLIncludeDirective,
  GraphQLSkipDirective,
  Kind,
  type OperationDefinitionNode,
  OperationTypeNode,
  type SelectionNode,
  type SelectionSetNode,
} from 'graphql';
import type { ErrorCode } from './errors.js';

/**
 * Returns an error for each subscription whose root field is skipped, or depends on a variable in `@skip` or `@include`: a
 * subscription has exactly one root field, which is checked without variables. graphql-js fails for the former when the
 * subscription starts, and reports the latter as a missing variable.
 */
export function rootFieldErrors(document: DocumentNode): GraphQLError[] {
  const fragments = new Map<string, FragmentDefinitionNode>();
  for (const definition of document.definitions)
    if (definition.kind === Kind.FRAGMENT_DEFINITION) fragments.set(definition.name.value, definition);
  return document.definitions.flatMap((definition) =>
    definition.kind === Kind.OPERATION_DEFINITION && definition.operation === OperationTypeNode.SUBSCRIPTION
      ? errorsOf(definition, fragments)
      : [],
  );
}

function errorsOf(
  operation: OperationDefinitionNode,
  fragments: ReadonlyMap<string, FragmentDefinitionNode>,
): GraphQLError[] {
  const variableConditions: DirectiveNode[] = [];
  let isSkipped = false;
  /** Also prevents an endless recursion: fragments are not validated yet. */
  const visited = new Set<SelectionSetNode>();

  /** Whether a field is left when all conditions without variables are applied. */
  function selectsField(selectionSet: SelectionSetNode | undefined): boolean {
    if (!selectionSet || visited.has(selectionSet)) return false;
    visited.add(selectionSet);
    let isSelected = false;
    for (const selection of selectionSet.selections) {
      if (!isIncluded(selection)) continue;
      if (selection.kind === Kind.FIELD) isSelected = true;
      else isSelected = selectsField(selectionSetOf(selection)) || isSelected;
    }
    return isSelected;
  }

  function isIncluded({ directives = [] }: SelectionNode): boolean {
    return directives.every((directive) => {
      const { value: name } = directive.name;
      if (name !== GraphQLSkipDirective.name && name !== GraphQLIncludeDirective.name) return true;
      const condition = directive.arguments?.find((argument) => argument.name.value === 'if')?.value;
      if (condition?.kind === Kind.VARIABLE) variableConditions.push(directive);
      // Any other kind is invalid.
      if (condition?.kind !== Kind.BOOLEAN) return true;
      if (condition.value === (name === GraphQLIncludeDirective.name)) return true;
      isSkipped = true;
      return false;
    });
  }

  function selectionSetOf(
    selection: Exclude<SelectionNode, { kind: Kind.FIELD }>,
  ): SelectionSetNode | undefined {
    return selection.kind === Kind.FRAGMENT_SPREAD
      ? fragments.get(selection.name.value)?.selectionSet
      : selection.selectionSet;
  }

  const isSelected = selectsField(operation.selectionSet);
  if (variableConditions.length > 0)
    return [
      error(
        'The root field of a subscription must not depend on a variable in @skip or @include: start the subscription only if it is needed.',
        variableConditions,
      ),
    ];
  // Without a condition, validation finds the reason.
  if (isSelected || !isSkipped) return [];
  return [
    error('The subscription selects no field: its root field is skipped by @skip or @include.', [operation]),
  ];
}

function error(message: string, nodes: readonly (DirectiveNode | OperationDefinitionNode)[]): GraphQLError {
  return new GraphQLError(message, { nodes, extensions: { code: 'BAD_USER_INPUT' satisfies ErrorCode } });
}
