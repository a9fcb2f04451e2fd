import { performance } from 'node:perf_hooks';
import { type GraphQLSchema, parse } from 'graphql';
import { median } from '../../bench/statistics.js';
import { createDocuments, isAccepted } from '../../src/graphql/documents.js';

/** A document that costs as much as possible before it runs. */
export interface DearDocument {
  readonly title: string;
  /** Whether it is within the limits. */
  readonly isAccepted: boolean;
  readonly text: string;
}

const repeat = (count: number, part: (index: number) => string): string =>
  Array.from({ length: count }, (_, index) => part(index)).join(' ');
const ROOMS =
  'rooms(first: 1) { nodes { id name topic messages(first: 1) { nodes { id text author { id } } } } }';
const USER = 'id username displayName avatarUrl createdAt';
const TYPE = 'kind name ofType { kind name ofType { kind name ofType { kind name ofType { kind name } } } }';

export const dearDocuments: readonly DearDocument[] = [
  {
    title: '40 fragments with the same fields',
    isAccepted: true,
    text: `{ viewer { user { ${repeat(40, (n) => `...F${n}`)} } } } ${repeat(40, (n) => `fragment F${n} on User { ${USER} }`)}`,
  },
  {
    title: 'a chain of 40 fragments',
    isAccepted: true,
    text: `{ viewer { user { ...F0 } } } ${repeat(39, (n) => `fragment F${n} on User { ${USER} ...F${n + 1} }`)} fragment F39 on User { id }`,
  },
  {
    title: '20 operations with lists',
    isAccepted: true,
    text: repeat(20, (n) => `query Q${n} { viewer { id ${ROOMS} } }`),
  },
  {
    title: '20 root fields with a fragment of lists',
    isAccepted: true,
    text: `{ ${repeat(20, (n) => `a${n}: node(id: "x") { ...M }`)} } fragment M on Message { id text author { ${USER} } room { id name messages(first: 1) { nodes { id text room { id name messages(first: 1) { nodes { id } } } } } } }`,
  },
  {
    title: '100 variables',
    isAccepted: true,
    text: `query (${repeat(100, (n) => `$v${n}: Boolean!`)}) { ${repeat(100, (n) => `... @skip(if: $v${n}) {`)} __typename ${repeat(100, () => '}')} }`,
  },
  {
    title: 'introspection',
    isAccepted: true,
    text: `{ __schema { types { ...T } } __type(name: "Room") { ...T } } fragment T on __Type { ${TYPE} fields { name args { name type { ...R } } type { ...R } } inputFields { name type { ...R } } possibleTypes { ...R } } fragment R on __Type { ${TYPE} }`,
  },
  { title: '490 root fields', isAccepted: false, text: `{ ${repeat(490, () => 'viewer { id }')} }` },
  {
    title: '180 times one field',
    isAccepted: false,
    text: `{ viewer { ${repeat(180, () => 'id')} } }`,
  },
  {
    title: '490 aliases',
    isAccepted: false,
    text: `{ viewer { ${repeat(490, (n) => `a${n}: id`)} } }`,
  },
  {
    title: '45 times __schema',
    isAccepted: false,
    text: `{ ${repeat(45, (n) => `a${n}: __schema { types { name } }`)} }`,
  },
  {
    title: '150 inline fragments with the same fields',
    isAccepted: false,
    text: `{ node(id: "x") { ${repeat(150, () => '... on Message { id text }')} } }`,
  },
  {
    title: '180 operations',
    isAccepted: false,
    text: repeat(180, (n) => `query Q${n} { viewer { id } }`),
  },
  {
    title: '240 variables',
    isAccepted: false,
    text: `query (${repeat(240, (n) => `$v${n}: Boolean!`)}) { viewer { id } }`,
  },
  {
    title: '300 fragments',
    isAccepted: false,
    text: `{ viewer { ${repeat(300, () => '...F')} } } fragment F on Viewer { id }`,
  },
  {
    title: '200 fragments that nothing uses',
    isAccepted: false,
    text: `{ viewer { id } } ${repeat(200, (n) => `fragment F${n} on User { id }`)}`,
  },
  {
    title: '600 levels',
    isAccepted: false,
    text: `{ ${repeat(600, () => 'room {')} id ${repeat(600, () => '}')} }`,
  },
];

/** The first validation of an accepted document may take this long, in ms. */
const MAX_VALIDATION_MS = 10;
/** Rejecting a document may take so many times as long as parsing it, or 1 ms if that is more. */
const MAX_REJECTION_RATIO = 3;
const MIN_REJECTION_MS = 1;
const ROUNDS = 20;

export interface DocumentCost {
  readonly parseMs: number;
  /** From the text to the first answer. Medians of texts that were never seen before. */
  readonly checkMs: number;
  readonly isAccepted: boolean;
  /** Why that is too much; null if it is not. */
  readonly failure: string | null;
}

/** Measures what a document costs an instance that has handled some documents before. */
export function measureDocument(
  schema: GraphQLSchema,
  { text, isAccepted: expected }: DearDocument,
): DocumentCost {
  const documents = createDocuments(schema, true, { debug() {}, info() {}, warn() {}, error() {} });
  for (let round = 0; round < 10 * ROUNDS; round += 1)
    documents.prepare(`query Q${round} { viewer { id ${ROOMS} } }`);
  // And has refused some.
  for (let round = 0; round < 10 * ROUNDS; round += 1)
    documents.prepare(`query R${round} { viewer { ${repeat(60, () => 'id')} } }`);
  const rounds = Array.from({ length: ROUNDS }, (_, round) => `${text} # ${round}`);
  const parseMs = median(rounds.map((each) => timed(() => parse(each)).ms));
  const checks = rounds.map((each) => timed(() => isAccepted(documents.prepare(each))));
  const checkMs = median(checks.map(({ ms }) => ms));
  const accepted = checks.every(({ result }) => result);
  return { parseMs, checkMs, isAccepted: accepted, failure: failure() };

  function failure(): string | null {
    if (accepted !== expected) return expected ? 'was rejected' : 'was accepted';
    if (accepted) return checkMs > MAX_VALIDATION_MS ? `more than ${MAX_VALIDATION_MS} ms` : null;
    return checkMs > Math.max(MIN_REJECTION_MS, MAX_REJECTION_RATIO * parseMs)
      ? `more than ${MAX_REJECTION_RATIO} times parsing`
      : null;
  }
}

function timed<Result>(run: () => Result): { ms: number; result: Result } {
  const start = performance.now();
  const result = run();
  return { ms: performance.now() - start, result };
}
