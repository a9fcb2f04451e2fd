import { pino } from 'pino';
import { expect, test } from 'vitest';
import { createTokens } from '../../../src/auth/tokens.js';
import { readConfig } from '../../../src/config.js';
import type { Services } from '../../../src/graphql/context.js';
import { createGraphQL } from '../../../src/transport/http/yoga.js';

const SECRET = 'a secret for tests, longer than 32 bytes';

/** Nothing is executed here, so nothing is asked of the services. */
const { direct } = createGraphQL({
  config: readConfig({ JWT_SECRET: SECRET }),
  services: {} as Services,
  tokens: createTokens(SECRET, 60),
  log: pino({ level: 'silent' }),
});

test('a document is parsed and validated once', () => {
  const first = direct.prepare('{ __typename }');
  expect(first).toHaveProperty('definitions');
  expect(direct.prepare('{ __typename }')).toBe(first);
});

test('only a bounded number of documents is kept: those that were asked for last', () => {
  const query = (name: number) => `query Q${name} { __typename }`;
  const [first, second] = [direct.prepare(query(1)), direct.prepare(query(2))];
  for (let name = 3; name <= 1100; name += 1) {
    direct.prepare(query(name));
    // Still in use.
    if (name % 100 === 0) expect(direct.prepare(query(2))).toBe(second);
  }
  expect(direct.prepare(query(2))).toBe(second);
  expect(direct.prepare(query(1))).not.toBe(first);
});

test('few long documents are kept: parsed, they take many times their length', () => {
  const query = (name: number) => `query Q${name} { __typename } # ${'long '.repeat(4000)}`;
  const first = direct.prepare(query(1));
  for (let name = 2; name <= 60; name += 1) direct.prepare(query(name));
  expect(first).toHaveProperty('definitions');
  expect(direct.prepare(query(60))).toBe(direct.prepare(query(60)));
  expect(direct.prepare(query(1))).not.toBe(first);
});

test.each(['{ nonsense }', '{ __typename', `{ ${'__typename '.repeat(2500)} }`])(
  'an invalid document is refused each time with the same errors (%#)',
  (query) => {
    const refusal = () => {
      const errors = direct.prepare(query);
      if ('definitions' in errors) throw new Error('The document was taken.');
      return errors.map((error) => error.toJSON());
    };
    const first = refusal();
    expect(first.length).toBeGreaterThan(0);
    expect(refusal()).toEqual(first);
  },
);
