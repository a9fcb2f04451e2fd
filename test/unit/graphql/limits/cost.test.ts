import { readdirSync, readFileSync } from 'node:fs';
import { parse, validate } from 'graphql';
import { expect, test } from 'vitest';
import { createCosts } from '../../../../src/graphql/limits/cost.js';
import { schema } from '../../../../src/graphql/schema/index.js';
import { defaultTabs } from '../../../../src/transport/graphiql/tabs.js';
import { codeBlocks } from '../../../helpers/code-blocks.js';

const MAX_COST = 5000;
const costs = createCosts(schema, MAX_COST);

function costOf(query: string, variableValues: Record<string, unknown> = {}, operationName?: string): number {
  const document = parse(query);
  expect(validate(schema, document)).toEqual([]);
  return costs.of({ document, variableValues, operationName });
}

const ROOM = '"Rlobby0000000000000000A"';
const messages = (args: string, selection: string) =>
  `{ roomMessages(roomId: ${ROOM}${args && `, ${args}`}) { ${selection} } }`;

test.each([
  ['fields', '{ viewer { id user { id username } } }', 5],
  ['a page without arguments: 50 items', messages('', 'nodes { id }'), 11 + 50 * 2],
  ['a page of a given size', messages('last: 7', 'nodes { id }'), 11 + 7 * 2],
  ['a page from the start', messages('first: 7', 'nodes { id }'), 11 + 7 * 2],
  ['edges', messages('last: 7', 'edges { cursor node { id seq } }'), 11 + 7 * 5],
  ['edges and nodes', messages('last: 7', 'edges { cursor } nodes { id }'), 11 + 7 * 4],
  ['what is not selected of the items', messages('last: 100', 'liveCursor pageInfo { hasNextPage }'), 11 + 3],
  ['an empty page', messages('last: 0', 'nodes { id text }'), 11],
  ['a page larger than allowed: 100 items', messages('last: 1000', 'nodes { id }'), 11 + 100 * 2],
  ['a page of a negative size', messages('last: -1000', 'nodes { id }'), 11],
  ['both sizes: the larger one', messages('first: 3, last: 9', 'nodes { id }'), 11 + 9 * 2],
  ['null as a size', messages('last: null', 'nodes { id }'), 11 + 50 * 2],
  [
    'a page below an item',
    messages('last: 10', 'nodes { room { messages(last: 5) { nodes { id } } } }'),
    11 + 10 * (1 + 1 + 11 + 5 * 2),
  ],
  ['aliases, each for itself', `{ a: viewer { id } b: viewer { id } }`, 4],
  ['a field that is selected twice, once', '{ viewer { id id } }', 2],
  [
    'an object that is selected twice, with both selections',
    '{ viewer { id } viewer { id user { id } } }',
    5,
  ],
  [
    'a fragment',
    `{ viewer { ...F } } fragment F on Viewer { id user { ...G } } fragment G on User { id }`,
    4,
  ],
  [
    'a fragment that is used twice in one place, once',
    '{ viewer { ...F ...F } } fragment F on Viewer { id }',
    2,
  ],
  [
    'a fragment in two places, twice',
    '{ a: viewer { ...F } b: viewer { ...F } } fragment F on Viewer { id }',
    4,
  ],
  [
    'of an interface, the most expensive type',
    `{ node(id: ${ROOM}) { id ... on Room { name topic } ... on User { username } } }`,
    4,
  ],
  [
    'a list below an interface',
    `{ node(id: ${ROOM}) { ... on Room { messages(last: 3) { nodes { id } } } ... on User { username } } }`,
    1 + 11 + 3 * 2,
  ],
  [
    'a list below a union',
    `mutation { sendMessage(input: { roomId: ${ROOM}, text: "x" }) { ... on SendMessagePayload { edge { node { room { messages(last: 3) { nodes { id } } } } } } ... on UserError { message } } }`,
    1 + 3 + 11 + 3 * 2,
  ],
  ['what is skipped, as if it were not', '{ viewer { id @skip(if: true) } }', 2],
  ['__typename, nothing', '{ __typename viewer { __typename id } }', 2],
])('the cost counts %s', (_, query, expected) => {
  expect(costOf(query)).toBe(expected);
});

const PAGE = `query ($size: Int, $default: Int = 20) {
  a: roomMessages(roomId: ${ROOM}, last: $size) { nodes { id } }
  b: roomMessages(roomId: ${ROOM}, last: $default) { nodes { id } }
}`;
test.each([
  ['absent', {}, 50, 20],
  ['given', { size: 5, default: 6 }, 5, 6],
  ['null', { size: null, default: null }, 50, 50],
  ['too large', { size: 1e9, default: 101 }, 100, 100],
  ['negative', { size: -5, default: -1e9 }, 0, 0],
  ['of another type, which is refused later', { size: '5', default: [1] }, 50, 50],
])('the cost follows variables that are %s', (_, variables, a, b) => {
  expect(costOf(PAGE, variables)).toBe(22 + 2 * a + 2 * b);
});

test('the cost is that of the operation that runs', () => {
  const query = `query A { viewer { id } } query B { ${messages('', 'nodes { id }').slice(1)}`;
  expect(costOf(query, {}, 'A')).toBe(2);
  expect(costOf(query, {}, 'B')).toBe(111);
  expect(costs.of({ document: parse(query), operationName: 'C' })).toBe(0);
});

test('a document whose expansion is enormous is computed at once', () => {
  const levels = Array.from(
    { length: 12 },
    (_, level) => `fragment F${level} on Message { a: room { ...R${level} } b: room { ...R${level} } }
      fragment R${level} on Room { a: messages { nodes { ...F${level + 1} } } b: messages { nodes { ...F${level + 1} } } }`,
  );
  const document = parse(
    `${messages('', 'nodes { ...F0 }')} ${levels.join('\n')} fragment F12 on Message { id }`,
  );
  const start = performance.now();

  expect(costs.of({ document })).toBeGreaterThan(1e20);
  expect(performance.now() - start).toBeLessThan(200);
});

test('an operation over the limit is refused with its cost', () => {
  const document = parse(messages('last: 100', 'nodes { room { messages(last: 100) { nodes { text } } } }'));
  expect(() => costs.assertAffordable({ document })).toThrow(
    expect.objectContaining({
      extensions: { code: 'LIMIT_EXCEEDED', cost: 11 + 100 * (2 + 11 + 200), maxCost: MAX_COST },
    }),
  );
});

test.each(['messageAdded', 'roomEvents'])('a list below the event of %s is refused', (field) => {
  const event = `${field}(roomId: ${ROOM}) { cursor ... on MessageEdge { node { ...M } } ... on MessageAddedEvent { edge { node { ...M } } } }`;
  const withFragment = (selection: string) =>
    parse(`subscription { ${event} } fragment M on Message { room { ${selection} } }`);

  expect(() =>
    costs.assertAffordable({ document: withFragment('messages(last: 1) { nodes { id } }') }),
  ).toThrow(expect.objectContaining({ extensions: { code: 'BAD_USER_INPUT' } }));
  expect(() => costs.assertAffordable({ document: withFragment('name') })).not.toThrow();
});

test('everything that is published stays far below the limit', () => {
  const root = new URL('../../../../', import.meta.url);
  const pages = [
    'README.md',
    ...readdirSync(new URL('docs', root))
      .filter((name) => name.endsWith('.md'))
      .map((name) => `docs/${name}`),
  ];
  const operations = readdirSync(new URL('schema/operations', root)).map((name) =>
    readFileSync(new URL(`schema/operations/${name}`, root), 'utf8'),
  );
  const recipes = readdirSync(new URL('docs/clients', root)).flatMap((name) => [
    ...readFileSync(new URL(`docs/clients/${name}`, root), 'utf8').matchAll(
      /`\s*((?:query|mutation|subscription)\b[^`$]*(?:\$(?!\{)[^`$]*)*)`/g,
    ),
  ]);
  const published = [
    ...pages.flatMap((page) => codeBlocks(page, 'graphql')),
    ...operations,
    ...recipes.map(([, text = '']) => text),
    ...defaultTabs({ lobbyId: 'Rlobby0000000000000000A', username: 'u', password: 'p' }).map(
      ({ query }) => query,
    ),
  ];
  const fragments = operations.filter((text) => text.includes('fragment ')).join('\n');
  const found = published.flatMap((text) => {
    const document = parse(
      text.includes('...Message') && !text.includes('fragment ') ? `${text}\n${fragments}` : text,
    );
    return document.definitions.flatMap((definition) =>
      definition.kind === 'OperationDefinition'
        ? [costs.of({ document, operationName: definition.name?.value })]
        : [],
    );
  });

  expect(found.length).toBeGreaterThan(30);
  expect(Math.max(...found)).toBeLessThan(MAX_COST / 3);
});
