import { maxAliasesPlugin } from '@escape.tech/graphql-armor-max-aliases';
import { maxDepthPlugin } from '@escape.tech/graphql-armor-max-depth';
import { maxTokensPlugin } from '@escape.tech/graphql-armor-max-tokens';
import type { GraphQLError, ValidationContext } from 'graphql';
import type { Plugin } from 'graphql-yoga';
import type { ErrorCode } from './errors.js';

/** What one request may ask for, alike over HTTP, WebSocket and SSE. The README names these numbers. */
export const LIMITS = {
  /** Bytes of an HTTP body or a WebSocket frame. */
  requestBytes: 64 * 1024,
  tokens: 2_000,
  depth: 12,
  aliases: 50,
  /** Operations under way on one socket, subscriptions among them. */
  operationsPerSocket: 100,
  /** Characters of an operation's id over WebSocket, which stands in each of its frames. */
  operationIdLength: 256,
} as const;

const LIMIT_EXCEEDED: ErrorCode = 'LIMIT_EXCEEDED';

function withCode(error: GraphQLError): void {
  error.extensions.code = LIMIT_EXCEEDED;
  // As other documents that can't be executed, by GraphQL over HTTP.
  error.extensions.http = { status: 400, spec: true };
}

/** The size of documents, checked before and with their validation. */
export function documentLimits(): Plugin[] {
  // Reported like any other fault of validation. The armor's own way is to throw, which graphql-ws takes for a crash.
  const reported = {
    propagateOnRejection: false,
    onReject: [
      (context: ValidationContext | null, error: GraphQLError) => {
        withCode(error);
        context?.reportError(error);
      },
    ],
  };
  return [
    // A parser can only throw; whoever calls it expects syntax errors anyway.
    maxTokensPlugin({ n: LIMITS.tokens, onReject: [(_context, error) => withCode(error)] }),
    maxDepthPlugin({ n: LIMITS.depth, ...reported }),
    maxAliasesPlugin({ n: LIMITS.aliases, ...reported }),
  ];
}
