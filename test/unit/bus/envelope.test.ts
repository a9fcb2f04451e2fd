import { randomUUID } from 'node:crypto';
import { expect, test } from 'vitest';
import { decodeEnvelope, encodeEnvelope } from '../../../src/bus/envelope.js';
import type { RoomChanged } from '../../../src/domain/events.js';
import type { Message } from '../../../src/domain/message/message.js';
import type { User } from '../../../src/domain/user.js';

function userOf(name: string): User {
  return {
    id: randomUUID(),
    username: name,
    displayName: name.toUpperCase(),
    avatarUrl: 'https://example.org/a.png',
    createdAt: new Date(1),
  };
}

const roomId = randomUUID();

function messageOf(rev: number, author: User | null, more: Partial<Message> = {}): Message {
  return {
    id: randomUUID(),
    roomId,
    seq: rev,
    rev,
    type: 'TEXT',
    authorId: author?.id ?? null,
    author: author ?? undefined,
    subjectId: null,
    text: `message ${rev}`,
    revision: 1,
    clientMessageId: null,
    createdAt: new Date(1000 + rev),
    changedAt: null,
    ...more,
  };
}

const changeOf = (messages: readonly Message[]): RoomChanged => ({
  roomId,
  epoch: '0123456789abcdef',
  head: { seq: 9, rev: 9 },
  messages,
});

test('a decoded envelope equals what was encoded, and holds each author once', () => {
  const [ada, bob] = [userOf('ada'), userOf('bob')];
  const change = changeOf([
    messageOf(1, ada),
    messageOf(2, bob, { type: 'MEMBER_JOINED', subjectId: bob.id }),
    messageOf(3, ada, { revision: 2, changedAt: new Date(5000), clientMessageId: 'key' }),
    // The first author's account is deleted, the second author was not read.
    messageOf(4, null),
    messageOf(5, userOf('zoe'), { author: undefined }),
  ]);
  const text = encodeEnvelope(change);

  expect(decodeEnvelope(text)).toEqual(change);
  expect(text.match(/"displayName"/g)).toHaveLength(2);
});

test('an envelope without authors, from an older instance in a rolling restart, is decoded', () => {
  const change = changeOf([messageOf(1, userOf('ada'))]);
  const { authors: _, ...old } = JSON.parse(encodeEnvelope(change));

  const [message] = decodeEnvelope(JSON.stringify(old)).messages;
  expect(message).toEqual({ ...change.messages[0], author: undefined });
});

test('a change that is too large is encoded without its messages and their authors', () => {
  const text = encodeEnvelope(changeOf([messageOf(1, userOf('ada'), { text: 'x'.repeat(70_000) })]));

  expect(Buffer.byteLength(text)).toBeLessThan(500);
  expect(decodeEnvelope(text)).toEqual(changeOf([]));
});

test.each([
  ['an author without a name', { authors: [{ id: randomUUID() }] }],
  ['another version', { v: 2 }],
  ['a malformed room id', { roomId: 'lobby' }],
  ['a negative head', { seq: -1 }],
])('an envelope with %s is rejected', (_, wrong) => {
  const whole = JSON.parse(encodeEnvelope(changeOf([messageOf(1, userOf('ada'))])));
  expect(() => decodeEnvelope(JSON.stringify({ ...whole, ...wrong }))).toThrow();
});
