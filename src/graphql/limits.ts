import { maxAliasesRule } from '@escape.tech/graphql-armor-max-aliases';
import { maxDepthRule } from '@escape.tech/graphql-armor-max-depth';
import { MaxTokensParserWLexer } from '@escape.tech/graphql-armor-max-tokens';
import type { DocumentNode, GraphQLError, Source, ValidationContext, ValidationRule } from 'graphql';
import type { ErrorCode } from './errors.js';

/** Limits of one request, the same over HTTP, WebSocket and server-sent events. The README names these numbers. */
export const LIMITS = {
  /** Bytes of an HTTP body or a WebSocket frame. */
  requestBytes: 64 * 1024,
  /** Tokens, levels and aliases of a document. */
  tokens: 2_000,
  depth: 12,
  aliases: 50,
  /** Operations in progress on one socket, subscriptions included. */
  operationsPerSocket: 100,
  /** Characters of an operation's id over WebSocket, which stands in each of its frames. */
  operationIdLength: 256,
} as const;

const LIMIT_EXCEEDED: ErrorCode = 'LIMIT_EXCEEDED';

function withCode(error: GraphQLError): void {
  error.extensions.code = LIMIT_EXCEEDED;
  // The status of any document that cannot be executed, by GraphQL over HTTP.
  error.extensions.http = { status: 400, spec: true };
}

/** @throws GraphQLError for a syntax error, and for more tokens than allowed. */
export function parseLimited(query: string | Source): DocumentNode {
  return new MaxTokensParserWLexer(query, {
    n: LIMITS.tokens,
    onReject: [(_context, error) => withCode(error)],
  }).parseDocument();
}

/** The rules that hold a document to its limits, checked with its validation. */
export function limitedRules(): ValidationRule[] {
  // Reported like any validation error. By default armor throws, which graphql-ws takes for a crash.
  const reported = {
    propagateOnRejection: false,
    onReject: [
      (context: ValidationContext | null, error: GraphQLError) => {
        withCode(error);
        context?.reportError(error);
      },
    ],
  };
  return [maxDepthRule({ n: LIMITS.depth, ...reported }), maxAliasesRule({ n: LIMITS.aliases, ...reported })];
}
