import type { ExecutionResult, GraphQLError, GraphQLFormattedError } from 'graphql';
import type { Log } from '../domain/ports.js';
import { toGraphQLError } from './schema/errors.js';

/** An error as clients see it. The status that it has over HTTP means nothing on a WebSocket. */
export function formatError(error: GraphQLError): GraphQLFormattedError {
  const { extensions, ...rest } = error.toJSON();
  const { http: _, ...kept } = extensions ?? {};
  return { ...rest, extensions: kept };
}

/** The payload of a `next`, with the fields in the order that graphql-ws writes them in. */
export function payloadOf({ data, errors }: ExecutionResult, log: Log): object {
  return errors ? { data, errors: errors.map((error) => formatError(toGraphQLError(error, log))) } : { data };
}
