import { parse } from 'graphql';
import { expect, test } from 'vitest';
import { schema } from '../../../src/graphql/schema/index.js';
import { sharingOf } from '../../../src/graphql/sharing.js';

const keyOf = (query: string, variables: Record<string, unknown>, viewerId = 'v') =>
  sharingOf({ schema, document: parse(query), query, variables, viewerId }).key;

const LIVE =
  'subscription ($roomId: ID!, $after: String) { messageAdded(roomId: $roomId, after: $after) { cursor } }';

test('subscriptions that differ only in where they start have the same key', () => {
  expect(keyOf(LIVE, { roomId: 'R', after: 'a' })).toBe(keyOf(LIVE, { roomId: 'R', after: 'b' }));
  expect(keyOf(LIVE, { roomId: 'R', after: 'a' })).toBe(keyOf(LIVE, { roomId: 'R' }));
  expect(keyOf(LIVE, { roomId: 'R', after: null })).toBe(keyOf(LIVE, { roomId: 'R' }));
});

test('a variable that is also used elsewhere than in the root `after` changes the key', () => {
  const query = `subscription ($roomId: ID!, $after: String) {
    messageAdded(roomId: $roomId, after: $after) { node { room { messages(first: 1, after: $after) { nodes { seq } } } } }
  }`;
  expect(keyOf(query, { roomId: 'R', after: 'a' })).not.toBe(keyOf(query, { roomId: 'R', after: 'b' }));
});

test('an absent variable differs from null, and the viewer matters only if the results depend on it', () => {
  const query = `subscription ($roomId: ID!, $full: Boolean = true) {
    messageAdded(roomId: $roomId) { cursor @include(if: $full) node { id } }
  }`;
  expect(keyOf(query, { roomId: 'R' })).not.toBe(keyOf(query, { roomId: 'R', full: null }));
  expect(keyOf(query, { roomId: 'R' })).not.toBe(keyOf(query, { roomId: 'R', full: false }));
  expect(keyOf(query, { roomId: 'R' }, 'v')).toBe(keyOf(query, { roomId: 'R' }, 'w'));
  const dependent =
    'subscription ($roomId: ID!) { messageAdded(roomId: $roomId) { node { room { viewerTitle } } } }';
  expect(keyOf(dependent, { roomId: 'R' }, 'v')).not.toBe(keyOf(dependent, { roomId: 'R' }, 'w'));
});

test('every part of an operation that changes its results changes the key', () => {
  const query = `subscription Long($roomId: ID!) { messageAdded(roomId: $roomId) { cursor node { text } } }
    subscription Short($roomId: ID!) { messageAdded(roomId: $roomId) { node { seq } } }`;
  const operation = {
    schema,
    document: parse(query),
    query,
    operationName: 'Long',
    variables: { roomId: 'R' },
    viewerId: 'v',
  };
  const { key } = sharingOf(operation);
  expect(sharingOf({ ...operation }).key).toBe(key);
  expect(sharingOf({ ...operation, operationName: 'Short' }).key).not.toBe(key);
  expect(sharingOf({ ...operation, variables: { roomId: 'S' } }).key).not.toBe(key);
  const other = query.replace('cursor node', 'node');
  expect(sharingOf({ ...operation, document: parse(other), query: other }).key).not.toBe(key);
});
