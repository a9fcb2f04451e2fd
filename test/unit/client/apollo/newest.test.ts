import { InMemoryCache } from '@apollo/client';
import { parse } from 'graphql';
import { beforeEach, expect, test } from 'vitest';
import { possibleTypes } from '../../../../packages/client/src/apollo/index.js';
import { keepNewest } from '../../../../packages/client/src/apollo/newest.js';
import { operationOf } from '../../../../packages/client/src/documents.js';

const FRAGMENT = parse('fragment All on Message { id revision text author { id displayName } }');

const author = { __typename: 'User', id: 'U1', displayName: 'Alice' };
const message = (revision: number, text: string) => ({
  __typename: 'Message',
  id: 'M1',
  revision,
  text,
  author,
});

let cache: InMemoryCache;

beforeEach(() => {
  cache = new InMemoryCache({ possibleTypes });
  cache.writeFragment({ fragment: FRAGMENT, data: message(3, 'the newest') });
});

const newest = (query: string, data: object): unknown =>
  keepNewest(data, operationOf(parse(query)), {}, cache);

const PAGE = '{ roomMessages(roomId: "R") { edges { node { __typename id revision text } } } }';
const pageOf = (node: object): object => ({ roomMessages: { edges: [{ node }] } });

test.each([
  ['an older revision', 2, 'the newest', 3],
  ['the same revision', 3, 'incoming', 3],
  ['a newer revision', 4, 'incoming', 4],
])('should keep the higher of two revisions: %s', (_, revision, text, kept) => {
  const node = { __typename: 'Message', id: 'M1', revision, text: 'incoming' };

  expect(newest(PAGE, pageOf(node))).toEqual(pageOf({ ...node, text, revision: kept }));
});

test('should leave messages that are not in the cache, and other values, as they are', () => {
  const data = {
    roomMessages: { edges: [{ node: { __typename: 'Message', id: 'M2', revision: 1, text: 'two' } }] },
    viewer: null,
  };

  expect(newest(PAGE, data)).toEqual(data);
});

test('should find messages through aliases and fragments, and keep what the cache lacks', () => {
  const query = `subscription {
    event: roomEvents(roomId: "R") { ...Event }
  }
  fragment Event on RoomEvent { __typename ... on MessageChangedEvent { changed: message { ...Parts createdAt } } }
  fragment Parts on Message { __typename key: id version: revision body: text author { id name: displayName } }`;
  const changed = {
    __typename: 'Message',
    key: 'M1',
    version: 1,
    body: 'old',
    createdAt: 'today',
    author: { __typename: 'User', id: 'U1', name: 'Alicia' },
  };

  expect(newest(query, { event: { __typename: 'MessageChangedEvent', changed } })).toEqual({
    event: {
      __typename: 'MessageChangedEvent',
      changed: {
        ...changed,
        version: 3,
        body: 'the newest',
        author: { __typename: 'User', id: 'U1', name: 'Alice' },
      },
    },
  });
});

test('should not compare messages of which the document does not select the revision', () => {
  const query = '{ roomMessages(roomId: "R") { edges { node { __typename id text } } } }';
  const data = pageOf({ __typename: 'Message', id: 'M1', text: 'incoming' });

  expect(newest(query, data)).toEqual(data);
});
