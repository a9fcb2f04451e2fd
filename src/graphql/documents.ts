import {
  type DocumentNode,
  GraphQLError,
  type GraphQLSchema,
  NoSchemaIntrospectionCustomRule,
  type Source,
  specifiedRules,
  validate,
} from 'graphql';
import { LRUCache } from 'lru-cache';
import type { Log } from '../domain/ports.js';
import { type ErrorCode, toGraphQLError } from './errors.js';
import { limitRules, parseLimited } from './limits.js';
import { rootFieldErrors } from './subscription-root.js';

/** Maximum number of cached documents. An app uses few. */
const MAX_CACHED_DOCUMENTS = 1024;
/** Maximum total length of the cached texts. A parsed document takes up to 50 times the size of its text. */
const MAX_CACHED_DOCUMENT_CHARACTERS = 1024 * 1024;

const BAD_USER_INPUT: ErrorCode = 'BAD_USER_INPUT';

export interface Documents {
  /** Parses and validates a document and checks its limits, or returns all its errors. Cached by the text. */
  prepare(query: string): DocumentNode | readonly GraphQLError[];
  /** @throws GraphQLError with a code, for a syntax error or too many tokens. */
  parse(query: string | Source): DocumentNode;
  /** Returns all errors, each with a code; none for a valid document. */
  validate(document: DocumentNode): readonly GraphQLError[];
}

/** @param introspection whether clients may query the schema itself. */
export function createDocuments(schema: GraphQLSchema, introspection: boolean, log: Log): Documents {
  const rules = [
    ...specifiedRules,
    ...limitRules(),
    ...(introspection ? [] : [NoSchemaIntrospectionCustomRule]),
  ];
  const cache = new LRUCache<string, DocumentNode>({
    max: MAX_CACHED_DOCUMENTS,
    maxSize: MAX_CACHED_DOCUMENT_CHARACTERS,
    sizeCalculation: (_document, query) => query.length,
  });

  function parse(query: string | Source): DocumentNode {
    try {
      return parseLimited(query);
    } catch (error) {
      if (error instanceof GraphQLError) {
        error.extensions.code ??= BAD_USER_INPUT;
        error.extensions.http ??= { status: 400, spec: true };
      }
      throw error;
    }
  }

  function validated(document: DocumentNode): readonly GraphQLError[] {
    const rootErrors = rootFieldErrors(document);
    if (rootErrors.length > 0) return rootErrors;
    const errors = validate(schema, document, rules);
    for (const error of errors) error.extensions.code ??= BAD_USER_INPUT;
    return errors;
  }

  return {
    parse,
    validate: validated,
    prepare(query) {
      const cached = cache.get(query);
      if (cached) return cached;
      try {
        const document = parse(query);
        const errors = validated(document);
        if (errors.length > 0) return errors;
        cache.set(query, document);
        return document;
      } catch (error) {
        return [toGraphQLError(error, log)];
      }
    },
  };
}

/** Whether `prepare` accepted the document. */
export function isAccepted(prepared: DocumentNode | readonly GraphQLError[]): prepared is DocumentNode {
  return 'definitions' in prepared;
}
