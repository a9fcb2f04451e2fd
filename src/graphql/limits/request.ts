import {
  type DocumentNode,
  type FieldNode,
  GraphQLError,
  Kind,
  parse,
  type SelectionSetNode,
  type Source,
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
  /** Operations per document. */
  operations: 20,
  /** Variables per document. */
  variables: 100,
  /** Aliases per document. */
  aliases: 50,
  /** Fields of an operation itself. */
  rootFields: 20,
  /** Fields per document that are selected once more in the same selection set. */
  repeatedFields: 15,
  /** Fragments that are used per document, each as often as it is used, or fragments. */
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
  try {
    return parse(query, { maxTokens: REQUEST_LIMITS.tokens });
  } catch (error) {
    // graphql 16 throws a syntax error that can only be recognized by its message.
    const isTooLong = error instanceof GraphQLError && /contains more tha[nt] \d+ tokens/.test(error.message);
    throw isTooLong ? tooMany('tokens') : error;
  }
}

/** What is counted in a document, and how the error names it. */
const COUNTED = {
  tokens: 'tokens',
  operations: 'operations',
  variables: 'variables',
  rootFields: 'root fields',
  aliases: 'aliases',
  repeatedFields: 'fields that are selected repeatedly',
  fragments: 'fragments or uses of them',
  introspections: 'selections of `__schema` and `__type`',
} as const;

/**
 * Checks the depth of a document, and the numbers of certain parts. To be called before its validation, whose time grows
 * with the square of some of them.
 */
export function excessOf(document: DocumentNode): GraphQLError | null {
  const counts = countParts(document);
  const names = Object.keys(counts) as (keyof typeof counts)[];
  const excess = names.find((name) => counts[name] > REQUEST_LIMITS[name]);
  if (excess) return tooMany(excess);
  return depthOf(document) > REQUEST_LIMITS.depth ? tooDeep() : null;
}

/** Counts in the order of errors. The number of root fields is that of the operation with the most. */
function countParts({ definitions }: DocumentNode) {
  const counts = {
    operations: 0,
    variables: 0,
    rootFields: 0,
    aliases: 0,
    repeatedFields: 0,
    fragments: 0,
    introspections: 0,
  };

  /** Returns the number of fields of the selection set itself. */
  function countBelow(selectionSet: SelectionSetNode): number {
    const { fields, spreads } = partsOf(selectionSet);
    counts.fragments += spreads;
    // Most selection sets of a deep document have one field.
    if (fields.length > 1) counts.repeatedFields += fields.length - new Set(fields.map(responseName)).size;
    for (const { alias, name, selectionSet: below } of fields) {
      if (alias) counts.aliases += 1;
      if (name.value === '__schema' || name.value === '__type') counts.introspections += 1;
      if (below) countBelow(below);
    }
    return fields.length;
  }

  let defined = 0;
  for (const definition of definitions) {
    if (definition.kind === Kind.FRAGMENT_DEFINITION) {
      defined += 1;
      countBelow(definition.selectionSet);
    }
    if (definition.kind !== Kind.OPERATION_DEFINITION) continue;
    counts.operations += 1;
    counts.variables += definition.variableDefinitions?.length ?? 0;
    counts.rootFields = Math.max(counts.rootFields, countBelow(definition.selectionSet));
  }
  // A valid document uses each of its fragments.
  counts.fragments = Math.max(counts.fragments, defined);
  return counts;
}

function responseName({ alias, name }: FieldNode): string {
  return (alias ?? name).value;
}

/** The fields of a selection set, also those in its inline fragments, and the number of its fragment spreads. */
function partsOf(selectionSet: SelectionSetNode): { fields: FieldNode[]; spreads: number } {
  const parts = { fields: [] as FieldNode[], spreads: 0 };
  const collect = ({ selections }: SelectionSetNode): void => {
    for (const selection of selections)
      if (selection.kind === Kind.FIELD) parts.fields.push(selection);
      else if (selection.kind === Kind.FRAGMENT_SPREAD) parts.spreads += 1;
      else collect(selection.selectionSet);
  };
  collect(selectionSet);
  return parts;
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
