import { maxAliasesRule } from '@escape.tech/graphql-armor-max-aliases';
import { maxDepthRule } from '@escape.tech/graphql-armor-max-depth';
import { MaxTokensParserWLexer } from '@escape.tech/graphql-armor-max-tokens';
import type { DocumentNode, GraphQLError, Source, ValidationContext, ValidationRule } from 'graphql';
import type { ErrorCode } from './errors.js';

/** Limits of a request, the same over HTTP, WebSocket and server-sent events. The README lists them. */
export const REQUEST_LIMITS = {
  /** Size of an HTTP body or a WebSocket message, in bytes. */
  requestBytes: 64 * 1024,
  /** Tokens per document. */
  tokens: 2_000,
  /** Nesting depth of selections per document. */
  depth: 12,
  /** Aliases per document. */
  aliases: 50,
  /** Concurrent operations per WebSocket, including subscriptions. */
  operationsPerSocket: 100,
  /** Characters of an operation id over WebSocket, which is part of every frame of the operation. */
  operationIdLength: 256,
} as const;

const LIMIT_EXCEEDED: ErrorCode = 'LIMIT_EXCEEDED';

function withCode(error: GraphQLError): void {
  error.extensions.code = LIMIT_EXCEEDED;
  // The status that GraphQL over HTTP requires for a document that cannot be executed.
  error.extensions.http = { status: 400, spec: true };
}

/** @throws GraphQLError for a syntax error or too many tokens. */
export function parseLimited(query: string | Source): DocumentNode {
  return new MaxTokensParserWLexer(query, {
    n: REQUEST_LIMITS.tokens,
    onReject: [(_context, error) => withCode(error)],
  }).parseDocument();
}

/** The validation rules that check the depth and the aliases of a document. */
export function limitRules(): ValidationRule[] {
  // Report like any validation error: by default armor throws, which graphql-ws treats as a crash.
  const options = {
    propagateOnRejection: false,
    onReject: [
      (context: ValidationContext | null, error: GraphQLError) => {
        withCode(error);
        context?.reportError(error);
      },
    ],
  };
  return [
    maxDepthRule({ n: REQUEST_LIMITS.depth, ...options }),
    maxAliasesRule({ n: REQUEST_LIMITS.aliases, ...options }),
  ];
}
