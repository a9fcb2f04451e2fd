import { pino } from 'pino';
import { expect, test } from 'vitest';
import { createDocuments } from '../../../src/graphql/documents.js';
import { schema } from '../../../src/graphql/schema/index.js';

const documents = createDocuments(schema, true, pino({ level: 'silent' }));

test('a valid document is parsed and validated once', () => {
  const first = documents.prepare('{ __typename }');
  expect(first).toHaveProperty('definitions');
  expect(documents.prepare('{ __typename }')).toBe(first);
});

test('the cache holds a bounded number of documents, the most recently used', () => {
  const query = (name: number) => `query Q${name} { __typename }`;
  const [first, second] = [documents.prepare(query(1)), documents.prepare(query(2))];
  for (let name = 3; name <= 1100; name += 1) {
    documents.prepare(query(name));
    // Keeps the second document in use.
    if (name % 100 === 0) expect(documents.prepare(query(2))).toBe(second);
  }
  expect(documents.prepare(query(2))).toBe(second);
  expect(documents.prepare(query(1))).not.toBe(first);
});

test('the cache is bounded by the total length of its texts', () => {
  const query = (name: number) => `query Q${name} { __typename } # ${'long '.repeat(4000)}`;
  const first = documents.prepare(query(1));
  for (let name = 2; name <= 60; name += 1) documents.prepare(query(name));
  expect(first).toHaveProperty('definitions');
  expect(documents.prepare(query(60))).toBe(documents.prepare(query(60)));
  expect(documents.prepare(query(1))).not.toBe(first);
});

test.each(['{ nonsense }', '{ __typename', `{ ${'__typename '.repeat(2500)} }`])(
  'an invalid document is rejected each time with the same errors (%#)',
  (query) => {
    const rejection = () => {
      const errors = documents.prepare(query);
      if ('definitions' in errors) throw new Error('The document was accepted.');
      return errors.map((error) => error.toJSON());
    };
    const first = rejection();
    expect(first.length).toBeGreaterThan(0);
    expect(rejection()).toEqual(first);
  },
);

const rejectionOf = (query: string, from = documents) => {
  const errors = from.prepare(query);
  if ('definitions' in errors) throw new Error('The document was accepted.');
  return errors;
};

test('an invalid document is validated once, whatever asks for it', () => {
  const query = '{ nonsense, and more }';
  const errors = rejectionOf(query);
  expect(rejectionOf(query)).toBe(errors);
  expect(documents.validate(documents.parse(query))).toBe(errors);
  expect(() => documents.parse('{')).toThrow(rejectionOf('{')[0]);
});

test('rejected documents do not displace valid ones', () => {
  const valid = documents.prepare('{ kept: __typename }');
  for (let index = 0; index < 2000; index += 1) rejectionOf(`{ unknown${index} }`);

  expect(documents.prepare('{ kept: __typename }')).toBe(valid);
});

const repeat = (count: number, part: (index: number) => string): string =>
  Array.from({ length: count }, (_, index) => part(index)).join(' ');

test.each([
  ['operations', (count: number) => repeat(count, (index) => `query Q${index} { viewer { id } }`), 20],
  [
    'variables',
    (count: number) =>
      `query (${repeat(count, (index) => `$v${index}: Boolean!`)}) { ${repeat(count, (index) => `... @skip(if: $v${index}) {`)} __typename ${repeat(count, () => '}')} }`,
    100,
  ],
  ['root fields', (count: number) => `{ ${repeat(count, (index) => `a${index}: viewer { id }`)} }`, 20],
  [
    'the same field, selected again',
    (count: number) => `{ viewer { ${repeat(count + 1, () => 'id')} } }`,
    15,
  ],
  [
    'the same field in inline fragments',
    (count: number) => `{ viewer { ${repeat(count + 1, () => '... { id }')} } }`,
    15,
  ],
  [
    'the same field in different places',
    (count: number) =>
      `{ viewer { ${repeat(count / 2 + 1, () => 'id')} user { ${repeat(count / 2 + 1, () => 'id')} } } }`,
    15,
  ],
  [
    'the same field in a fragment',
    (count: number) => `{ viewer { ...F } } fragment F on Viewer { ${repeat(count + 1, () => 'id')} }`,
    15,
  ],
  [
    'uses of fragments',
    (count: number) => `{ viewer { ${repeat(count, () => '...F')} } } fragment F on Viewer { id }`,
    40,
  ],
  [
    'fragments',
    (count: number) =>
      `{ viewer { ${repeat(count, (index) => `...F${index}`)} } } ${repeat(count, (index) => `fragment F${index} on Viewer { id }`)}`,
    40,
  ],
  ['aliases', (count: number) => `{ viewer { ${repeat(count, (index) => `a${index}: id`)} } }`, 50],
  [
    'aliases of __typename',
    (count: number) => `{ viewer { ${repeat(count, (index) => `a${index}: __typename`)} } }`,
    50,
  ],
  [
    'selections of __schema',
    (count: number) => `{ ${repeat(count, (index) => `a${index}: __schema { __typename }`)} }`,
    2,
  ],
  [
    'selections of __type',
    (count: number) => `{ ${repeat(count, (index) => `a${index}: __type(name: "Room") { name }`)} }`,
    2,
  ],
])('%s are limited', (_, query, limit) => {
  expect(documents.prepare(query(limit))).toHaveProperty('definitions');
  for (const count of [limit + 2, 180]) {
    const errors = rejectionOf(query(count));
    expect(errors).toHaveLength(1);
    expect(errors[0]?.extensions).toMatchObject({ code: 'LIMIT_EXCEEDED' });
    if (count !== 180) expect(errors[0]?.message).toContain(`at most ${limit} are allowed`);
  }
});

test('without introspection, errors suggest no names', () => {
  const closed = createDocuments(schema, false, pino({ level: 'silent' }));
  for (const query of [
    '{ viewerr { id } }',
    '{ viewer { idd } }',
    '{ roomMessages(room: "x") { liveCursor } }',
    'query ($id: IDD!) { node(id: $id) { id } }',
    'mutation { sendMessage(input: { roomid: "x" }) { __typename } }',
    '{ node(id: "x") { ... on Rom { id } } }',
  ]) {
    expect(
      rejectionOf(query)
        .map(({ message }) => message)
        .join(),
      query,
    ).toContain('Did you mean');
    expect(
      rejectionOf(query, closed)
        .map(({ message }) => message)
        .join(),
      query,
    ).not.toContain('Did you mean');
  }
});

test('the depth counts fields, not fragments', () => {
  const nested = (levels: number): string =>
    levels === 0 ? 'id' : `room { messages { nodes { ${nested(levels - 1)} } } }`;
  const inFragments = (levels: number): string =>
    `{ node(id: "x") { ...F0 } } ${repeat(levels, (index) => `fragment F${index} on Message { ...F${index + 1} }`)} fragment F${levels} on Message { ${nested(3)} }`;
  expect(documents.prepare(inFragments(12))).toHaveProperty('definitions');

  for (const query of [
    `{ node(id: "x") { ... on Message { ${nested(4)} } } }`,
    inFragments(2).replace(nested(3), nested(4)),
  ])
    expect(rejectionOf(query)[0]?.extensions).toMatchObject({ code: 'LIMIT_EXCEEDED' });
});

test('a fragment that uses itself is reported', () => {
  const query = '{ viewer { ...F } } fragment F on Viewer { ...G ...G } fragment G on Viewer { ...F }';
  expect(rejectionOf(query)[0]?.message).toContain('Cannot spread fragment "F" within itself');
});
