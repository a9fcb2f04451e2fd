import { expect, test } from 'vitest';
import { createNewest } from '../../../../packages/client/src/urql/newest.js';

const message = (revision: number, rest: object = {}) => ({
  __typename: 'Message',
  id: 'one',
  revision,
  ...rest,
});

test('should replace an older copy of a changed message, with the fields that were asked for', () => {
  const newest = createNewest();
  const event = { roomEvents: { message: message(3, { text: 'edited', type: 'TEXT' }) } };
  expect(newest(event)).toEqual(event);

  const page = { nodes: [message(2, { text: 'before', createdAt: 'then' }), null] };
  expect(newest(page)).toEqual({ nodes: [message(3, { text: 'edited', createdAt: 'then' }), null] });
});

test('should keep a copy of the same or a higher revision', () => {
  const newest = createNewest();
  newest(message(2, { text: 'second' }));
  expect(newest(message(2, { text: 'again' }))).toMatchObject({ text: 'again' });
  expect(newest(message(3, { text: 'third' }))).toMatchObject({ text: 'third' });
  expect(newest(message(2, { text: 'second' }))).toMatchObject({ text: 'third', revision: 3 });
});

test('should leave other objects, and messages without a revision, as they are', () => {
  const newest = createNewest();
  newest(message(2, { text: 'second' }));
  for (const other of [
    null,
    undefined,
    { __typename: 'User', id: 'one', revision: 1 },
    { __typename: 'Message', id: 'one', text: 'unknown revision' },
    message(1, { id: 'two' }),
  ])
    expect(newest(other)).toEqual(other);
});

test('should remember a bounded number of changed messages', () => {
  const newest = createNewest();
  newest(message(2, { text: 'second' }));
  for (let index = 0; index < 1000; index += 1) newest(message(2, { id: `id ${index}` }));

  expect(newest(message(1, { text: 'first' }))).toMatchObject({ text: 'first' });
});
