import type { GraphQLFormattedError } from 'graphql';

/** The result of one operation, or of one event of a subscription, as the server sent it. */
export interface Result<Data = unknown> {
  readonly data?: Data | null | undefined;
  readonly errors?: readonly GraphQLFormattedError[] | undefined;
  readonly extensions?: unknown;
}
