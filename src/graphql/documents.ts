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
import { limitedRules, parseLimited } from './limits.js';

/**
 * Documents that are kept, parsed and validated, at most; and the length of their texts in all, in characters. An app has
 * few of them. Parsed, a text takes up to fifty times its length.
 */
const MAX_CACHED_DOCUMENTS = 1024;
const MAX_CACHED_DOCUMENT_CHARACTERS = 1024 * 1024;

const BAD_USER_INPUT: ErrorCode = 'BAD_USER_INPUT';

export interface Documents {
  /** The document, parsed, within its limits and valid; otherwise all its errors. A known text costs a look-up. */
  prepare(query: string): DocumentNode | readonly GraphQLError[];
  /** @throws GraphQLError with a code, for a syntax error or a document over its limits. */
  parse(query: string | Source): DocumentNode;
  /** All errors, each with a code; none for a valid document. */
  validate(document: DocumentNode): readonly GraphQLError[];
}

/** @param introspection whether clients may query the schema. */
export function createDocuments(schema: GraphQLSchema, introspection: boolean, log: Log): Documents {
  const rules = [
    ...specifiedRules,
    ...limitedRules(),
    ...(introspection ? [] : [NoSchemaIntrospectionCustomRule]),
  ];
  const known = new LRUCache<string, DocumentNode>({
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
    const errors = validate(schema, document, rules);
    for (const error of errors) error.extensions.code ??= BAD_USER_INPUT;
    return errors;
  }

  return {
    parse,
    validate: validated,
    prepare(query) {
      const found = known.get(query);
      if (found) return found;
      try {
        const document = parse(query);
        const errors = validated(document);
        if (errors.length > 0) return errors;
        known.set(query, document);
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
