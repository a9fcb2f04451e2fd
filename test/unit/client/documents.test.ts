import { parse } from 'graphql';
import { expect, test } from 'vitest';
import { isRepeatable, operationOf } from '../../../packages/client/src/documents.js';

const repeatable = (text: string, variables = {}) => isRepeatable(operationOf(parse(text)), variables);
const SEND = 'mutation ($input: SendMessageInput!) { sendMessage(input: $input) { __typename } }';
const input = { roomId: 'R', text: 'Hello' };

test('a query may be repeated', () => {
  expect(repeatable('{ viewer { id } }')).toBe(true);
});

test.each([
  ['in a variable', SEND, { input: { ...input, clientMessageId: 'a' } }],
  [
    'in the document',
    'mutation { sendMessage(input: { roomId: "R", text: "Hello", clientMessageId: "a" }) { __typename } }',
    {},
  ],
  [
    'in a variable of its own, in a fragment',
    'mutation ($id: String) { ...Send } fragment Send on Mutation { s: sendMessage(input: { roomId: "R", text: "x", clientMessageId: $id }) { __typename } }',
    { id: 'a' },
  ],
  [
    'in each of two',
    `mutation ($a: SendMessageInput!, $b: SendMessageInput!) {
      a: sendMessage(input: $a) { __typename } b: sendMessage(input: $b) { __typename }
    }`,
    { a: { ...input, clientMessageId: 'a' }, b: { ...input, clientMessageId: 'b' } },
  ],
])('`sendMessage` with a clientMessageId %s may be repeated', (_, text, variables) => {
  expect(repeatable(text, variables)).toBe(true);
});

test.each([
  ['without a clientMessageId', SEND, { input }],
  ['with a clientMessageId that is null', SEND, { input: { ...input, clientMessageId: null } }],
  ['whose variable is missing', SEND, {}],
  [
    'beside another mutation',
    'mutation ($input: SendMessageInput!) { sendMessage(input: $input) { __typename } joinRoom(input: { roomId: "R" }) { __typename } }',
    { input: { ...input, clientMessageId: 'a' } },
  ],
  [
    'beside another mutation that a directive may leave out',
    'mutation ($input: SendMessageInput!, $b: Boolean!) { sendMessage(input: $input) { __typename } joinRoom(input: { roomId: "R" }) @skip(if: $b) { __typename } }',
    { input: { ...input, clientMessageId: 'a' }, b: false },
  ],
])('`sendMessage` %s may not be repeated', (_, text, variables) => {
  expect(repeatable(text, variables)).toBe(false);
});

test('an alias does not make another mutation repeatable', () => {
  expect(
    repeatable('mutation { sendMessage: joinRoom(input: { clientMessageId: "a" }) { __typename } }'),
  ).toBe(false);
});
