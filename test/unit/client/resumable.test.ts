import { parse } from 'graphql';
import { expect, test } from 'vitest';
import { analyzeSubscription } from '../../../packages/client/src/resumable.js';
import { MessageAddedDocument, RoomEventsDocument } from '../../../schema/generated/graphql.js';

const analyze = (text: string) => analyzeSubscription(parse(text));
const HEAD = 'subscription ($roomId: ID!, $after: String)';

test('should find everything in the shared operations', () => {
  expect(analyzeSubscription(MessageAddedDocument)).toMatchObject({
    key: 'messageAdded',
    after: 'after',
    typename: null,
    shapes: { '': { cursor: ['cursor'], seq: ['node', 'seq'] } },
  });
  expect(analyzeSubscription(RoomEventsDocument)).toMatchObject({
    key: 'roomEvents',
    after: 'after',
    typename: ['__typename'],
    shapes: {
      MessageAddedEvent: {
        cursor: ['cursor'],
        seq: ['edge', 'node', 'seq'],
        revision: ['edge', 'node', 'revision'],
      },
      MessageChangedEvent: { cursor: ['cursor'], seq: ['message', 'seq'], revision: ['message', 'revision'] },
      CaughtUpEvent: { cursor: ['cursor'], seq: null },
      HistoryGapEvent: { cursor: ['cursor'], seq: null },
      '': { cursor: ['cursor'] },
    },
  });
});

test('should find fields by name through aliases, inline fragments and named fragments', () => {
  const found = analyze(`
    subscription Live($room: ID!, $from: String) { ...Root }
    fragment Root on Subscription {
      live: messageAdded(after: $from, roomId: $room) { ... on MessageEdge { ... { at: cursor } } ...Edge }
    }
    fragment Edge on MessageEdge { cursor: __typename message: node { seq: id ...Text ... on Node { id } } }
    fragment Text on Message { text place: seq }`);

  expect(found).toMatchObject({
    key: 'live',
    after: 'from',
    shapes: { '': { cursor: ['at'], seq: ['message', 'place'] } },
  });
});

test('should accept a cursor that each type of event selects by itself', () => {
  const { shapes, typename } = analyze(`${HEAD} {
    roomEvents(roomId: $roomId, after: $after) {
      kind: __typename
      ... on MessageAddedEvent { addedAt: cursor edge { node { seq revision } } }
      ... on MessageChangedEvent { changedAt: cursor message { seq revision } }
      ... on CaughtUpEvent { cursor }
      ... on HistoryGapEvent { cursor }
    }
  }`);

  expect(typename).toEqual(['kind']);
  expect(shapes).toMatchObject({
    MessageAddedEvent: { cursor: ['addedAt'] },
    MessageChangedEvent: { cursor: ['changedAt'] },
    '': { cursor: null },
  });
});

test('should find `seq` and `revision` in different branches of the same field', () => {
  const { shapes } = analyze(`${HEAD} {
    roomEvents(roomId: $roomId, after: $after) {
      __typename cursor
      ... on MessageAddedEvent { a: edge { node { seq } } b: edge { cursor node { revision } } }
      ... on MessageChangedEvent { message { seq } message { revision } }
    }
  }`);

  expect(shapes.MessageAddedEvent).toMatchObject({
    seq: ['a', 'node', 'seq'],
    revision: ['b', 'node', 'revision'],
  });
});

test.each([
  ['`cursor`', `${HEAD} { messageAdded(roomId: $roomId, after: $after) { node { seq } } }`, ['cursor']],
  [
    '`cursor` of another object',
    `${HEAD} { roomEvents(roomId: $roomId, after: $after) { __typename
      ... on MessageAddedEvent { edge { cursor node { seq revision } } }
      ... on MessageChangedEvent { message { seq revision } } } }`,
    ['cursor'],
  ],
  [
    '`cursor` of one event alone',
    `${HEAD} { roomEvents(roomId: $roomId, after: $after) { __typename
      ... on MessageAddedEvent { cursor edge { node { seq revision } } }
      ... on MessageChangedEvent { message { seq revision } } } }`,
    ['cursor'],
  ],
  [
    '`cursor` under a directive',
    `${HEAD} { messageAdded(roomId: $roomId, after: $after) { cursor @include(if: true) node { seq } } }`,
    ['cursor'],
  ],
  [
    '`cursor` in a fragment under a directive',
    `${HEAD} { messageAdded(roomId: $roomId, after: $after) { ... @skip(if: false) { cursor } node { seq } } }`,
    ['cursor'],
  ],
  [
    '`seq`',
    `${HEAD} { messageAdded(roomId: $roomId, after: $after) { cursor node { id } } }`,
    ['node { seq }'],
  ],
  ['`node`', `${HEAD} { messageAdded(roomId: $roomId, after: $after) { cursor } }`, ['node { seq }']],
  [
    '`after`',
    'subscription ($roomId: ID!) { messageAdded(roomId: $roomId) { cursor node { seq } } }',
    ['messageAdded(roomId: $roomId, after: $after)'],
  ],
  [
    'a variable for `after`',
    'subscription ($roomId: ID!) { messageAdded(roomId: $roomId, after: "x") { cursor node { seq } } }',
    ['messageAdded(roomId: $roomId, after: $after)'],
  ],
  [
    '`__typename`',
    `${HEAD} { roomEvents(roomId: $roomId, after: $after) { cursor
      ... on MessageAddedEvent { edge { node { seq revision } } }
      ... on MessageChangedEvent { message { seq revision } } } }`,
    ['__typename'],
  ],
  [
    '`revision` of a changed message',
    `${HEAD} { roomEvents(roomId: $roomId, after: $after) { __typename cursor
      ... on MessageAddedEvent { edge { node { seq revision } } }
      ... on MessageChangedEvent { message { seq text } } } }`,
    ['... on MessageChangedEvent { message { revision } }'],
  ],
  [
    'everything',
    'subscription ($roomId: ID!) { roomEvents(roomId: $roomId) { occurredAt } }',
    [
      'roomEvents(roomId: $roomId, after: $after)',
      '__typename',
      'cursor',
      '... on MessageAddedEvent { edge { node { seq } } }',
      '... on MessageAddedEvent { edge { node { revision } } }',
      '... on MessageChangedEvent { message { seq } }',
      '... on MessageChangedEvent { message { revision } }',
    ],
  ],
])('should refuse a document without %s, and show what is missing', (_, text, lines) => {
  const refuse = () => analyze(text);

  expect(refuse).toThrow(expect.objectContaining({ name: 'ParleyError', code: 'NOT_RESUMABLE' }));
  expect(refuse).toThrow(
    `cannot be resumed after a cut. Add:\n\n${lines.map((line) => `  ${line}`).join('\n')}\n`,
  );
});

test.each([
  [
    'a field that it does not know',
    'subscription { typing(roomId: "R") { cursor } }',
    'typing cannot be resumed',
  ],
  ['a query', 'query { viewer { id } }', 'viewer cannot be resumed'],
  ['two operations', 'subscription A { a } subscription B { b }', 'needs one operation'],
  ['no operation', 'fragment A on Message { id }', 'needs one operation'],
])('should refuse %s', (_, text, message) => {
  expect(() => analyze(text)).toThrow(message);
});
