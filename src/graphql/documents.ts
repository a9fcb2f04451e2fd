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
import { excessOf, parseLimited } from './limits/request.js';
import { rootFieldErrors } from './subscription-root.js';

/** Maximum number of cached documents. An app uses few. */
const MAX_CACHED_DOCUMENTS = 1024;
/** Maximum total length of the cached texts. A parsed document takes up to 50 times the size of its text. */
const MAX_CACHED_DOCUMENT_CHARACTERS = 1024 * 1024;
/** The same for documents that were rejected, which do not displace the valid ones. */
const MAX_CACHED_REJECTIONS = 128;
const MAX_CACHED_REJECTION_CHARACTERS = 256 * 1024;
/** Errors that are reported of an invalid document. */
const MAX_ERRORS = 5;

const BAD_USER_INPUT: ErrorCode = 'BAD_USER_INPUT';

export interface Documents {
  /** Parses and validates a document and checks its limits, or returns its errors. Cached by the text. */
  prepare(query: string): DocumentNode | readonly GraphQLError[];
  /** @throws GraphQLError with a code, for a syntax error or too many tokens. */
  parse(query: string | Source): DocumentNode;
  /** Returns the errors, each with a code; none for a valid document. Remembers them for a parsed document. */
  validate(document: DocumentNode): readonly GraphQLError[];
}

/** A document with its errors, or the error of its syntax. */
interface Prepared {
  readonly document: DocumentNode | null;
  readonly errors: readonly GraphQLError[];
}

/** @param introspection whether clients may query the schema itself; otherwise errors suggest no names either. */
export function createDocuments(schema: GraphQLSchema, introspection: boolean, log: Log): Documents {
  const rules = introspection ? specifiedRules : [...specifiedRules, NoSchemaIntrospectionCustomRule];
  const sizeCalculation = (_prepared: Prepared, query: string): number => query.length || 1;
  const accepted = new LRUCache<string, Prepared>({
    max: MAX_CACHED_DOCUMENTS,
    maxSize: MAX_CACHED_DOCUMENT_CHARACTERS,
    sizeCalculation,
  });
  const rejected = new LRUCache<string, Prepared>({
    max: MAX_CACHED_REJECTIONS,
    maxSize: MAX_CACHED_REJECTION_CHARACTERS,
    sizeCalculation,
  });
  const errorsOf = new WeakMap<DocumentNode, readonly GraphQLError[]>();

  function check(document: DocumentNode): readonly GraphQLError[] {
    const excess = excessOf(document);
    if (excess) return [excess];
    const rootErrors = rootFieldErrors(document);
    if (rootErrors.length > 0) return rootErrors;
    const errors = validate(schema, document, rules, { maxErrors: MAX_ERRORS });
    for (const error of errors) {
      error.extensions.code ??= BAD_USER_INPUT;
      if (!introspection) error.message = error.message.replace(/ Did you mean .*\?$/, '');
    }
    return errors;
  }

  function prepare(query: string): Prepared {
    const known = accepted.get(query) ?? rejected.get(query);
    if (known) return known;
    let prepared: Prepared;
    try {
      const document = parseLimited(query);
      prepared = { document, errors: check(document) };
      errorsOf.set(document, prepared.errors);
    } catch (error) {
      prepared = { document: null, errors: [syntaxError(error)] };
    }
    (prepared.errors.length > 0 ? rejected : accepted).set(query, prepared);
    return prepared;
  }

  function syntaxError(error: unknown): GraphQLError {
    if (!(error instanceof GraphQLError)) return toGraphQLError(error, log);
    error.extensions.code ??= BAD_USER_INPUT;
    error.extensions.http ??= { status: 400, spec: true };
    return error;
  }

  return {
    prepare(query) {
      const { document, errors } = prepare(query);
      return document && errors.length === 0 ? document : errors;
    },
    parse(query) {
      const { document, errors } = prepare(typeof query === 'string' ? query : query.body);
      if (!document) throw errors[0];
      return document;
    },
    validate: (document) => errorsOf.get(document) ?? check(document),
  };
}

/** Whether `prepare` accepted the document. */
export function isAccepted(prepared: DocumentNode | readonly GraphQLError[]): prepared is DocumentNode {
  return 'definitions' in prepared;
}
