import { MaxTokensParserWLexer } from '@escape.tech/graphql-armor-max-tokens';
import {
  BREAK,
  type DocumentNode,
  type FieldNode,
  GraphQLError,
  Kind,
  type SelectionSetNode,
  type Source,
  visit,
} from 'graphql';
import type { ErrorCode } from '../errors.js';

/** Limits of a request, the same over HTTP, WebSocket and server-sent events. The README lists them. */
export const REQUEST_LIMITS = {
  /** Size of an HTTP body or a WebSocket message, in bytes. */
  requestBytes: 64 * 1024,
  /** Tokens per document. */
  tokens: 2_000,
  /** Levels of fields per document, without those of introspection. */
  depth: 12,
  /** Aliases per document. */
  aliases: 50,
  /** Fields of an operation itself. */
  rootFields: 20,
  /** Fields per document that are selected once more in the same selection set. */
  repeatedFields: 15,
  /** Fragments that are used per document, each as often as it is used. */
  fragments: 40,
  /** `__schema` and `__type` per document. */
  introspections: 2,
  /** Concurrent operations per WebSocket, including subscriptions. */
  operationsPerSocket: 100,
  /** Characters of an operation id over WebSocket, which is part of every frame of the operation. */
  operationIdLength: 256,
} as const;

const LIMIT_EXCEEDED: ErrorCode = 'LIMIT_EXCEEDED';

function withCode(error: GraphQLError): GraphQLError {
  error.extensions.code = LIMIT_EXCEEDED;
  // The status that GraphQL over HTTP requires for a document that cannot be executed.
  error.extensions.http = { status: 400, spec: true };
  return error;
}

/** @throws GraphQLError for a syntax error or too many tokens. */
export function parseLimited(query: string | Source): DocumentNode {
  return new MaxTokensParserWLexer(query, {
    n: REQUEST_LIMITS.tokens,
    onReject: [(_context, error) => void withCode(error)],
  }).parseDocument();
}

/** What is counted in a document, and how the error names it. */
const COUNTED = {
  aliases: 'aliases',
  rootFields: 'root fields',
  repeatedFields: 'fields that are selected repeatedly',
  fragments: 'uses of fragments',
  introspections: 'selections of `__schema` and `__type`',
} as const;

/**
 * Checks the depth of a document, and the numbers of certain parts. To be called before its validation, whose time grows
 * with the square of some of them.
 */
export function excessOf(document: DocumentNode): GraphQLError | null {
  const counts = { aliases: 0, rootFields: 0, repeatedFields: 0, fragments: 0, introspections: 0 };
  let excess: keyof typeof counts | null = null;
  const add = (name: keyof typeof counts, count = 1): typeof BREAK | undefined => {
    counts[name] += count;
    if (counts[name] <= REQUEST_LIMITS[name]) return undefined;
    excess = name;
    return BREAK;
  };
  visit(document, {
    OperationDefinition: ({ selectionSet }) => {
      counts.rootFields = 0;
      const fields = fieldsOf(selectionSet);
      return add('rootFields', fields.length) ?? countRepeated(fields);
    },
    FragmentSpread: () => add('fragments'),
    Field({ alias, name, selectionSet }) {
      if (selectionSet && countRepeated(fieldsOf(selectionSet))) return BREAK;
      if ((name.value === '__schema' || name.value === '__type') && add('introspections')) return BREAK;
      return alias && add('aliases');
    },
    FragmentDefinition: ({ selectionSet }) => countRepeated(fieldsOf(selectionSet)),
  });

  function countRepeated(fields: readonly FieldNode[]): typeof BREAK | undefined {
    const keys = new Set(fields.map(({ alias, name }) => (alias ?? name).value));
    return add('repeatedFields', fields.length - keys.size);
  }

  if (excess) return tooMany(excess);
  return depthOf(document) > REQUEST_LIMITS.depth ? tooDeep() : null;
}

function tooDeep(): GraphQLError {
  return withCode(
    new GraphQLError(
      `The document is nested deeper than ${REQUEST_LIMITS.depth} levels: select what is below in a document of its own.`,
    ),
  );
}

function tooMany(name: keyof typeof COUNTED): GraphQLError {
  return withCode(
    new GraphQLError(
      `The document has too many ${COUNTED[name]}: at most ${REQUEST_LIMITS[name]} are allowed. Send several documents.`,
    ),
  );
}

/** The fields of a selection set, also those in its inline fragments. */
function fieldsOf({ selections }: SelectionSetNode): FieldNode[] {
  return selections.flatMap((selection) => {
    if (selection.kind === Kind.FIELD) return [selection];
    return selection.kind === Kind.INLINE_FRAGMENT ? fieldsOf(selection.selectionSet) : [];
  });
}

/** The levels of fields below the operations of a document, through fragments. */
function depthOf({ definitions }: DocumentNode): number {
  const fragments = new Map<string, SelectionSetNode>();
  for (const definition of definitions)
    if (definition.kind === Kind.FRAGMENT_DEFINITION)
      fragments.set(definition.name.value, definition.selectionSet);
  /** By the name of the fragment. A fragment that uses itself, which validation rejects, adds nothing. */
  const known = new Map<string, number>();

  function below({ selections }: SelectionSetNode): number {
    let depth = 0;
    for (const selection of selections) {
      if (selection.kind === Kind.INLINE_FRAGMENT) depth = Math.max(depth, below(selection.selectionSet));
      else if (selection.kind === Kind.FRAGMENT_SPREAD)
        depth = Math.max(depth, ofFragment(selection.name.value));
      else if (!selection.name.value.startsWith('__'))
        depth = Math.max(depth, 1 + (selection.selectionSet ? below(selection.selectionSet) : 0));
    }
    return depth;
  }

  function ofFragment(name: string): number {
    const selectionSet = fragments.get(name);
    let depth = known.get(name);
    if (depth === undefined && selectionSet) {
      known.set(name, 0);
      depth = below(selectionSet);
      known.set(name, depth);
    }
    return depth ?? 0;
  }

  return Math.max(
    0,
    ...definitions.map((definition) =>
      definition.kind === Kind.OPERATION_DEFINITION ? below(definition.selectionSet) : 0,
    ),
  );
}
