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
