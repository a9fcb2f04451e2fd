import { randomUUID } from 'node:crypto';
import { expect, test } from 'vitest';
import { decodeEnvelope, encodeEnvelope, partsOf } from '../../../src/bus/envelope.js';
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

test('a large change is divided into envelopes of at most 64 KiB, which together contain all of it', () => {
  const authors = [userOf('ada'), userOf('bob')];
  // A quotation mark takes two bytes in JSON, a control character six.
  const texts = [
    'x'.repeat(4000),
    '"'.repeat(4000),
    '\u0001'.repeat(4000),
    'ö'.repeat(4000),
    '🎉'.repeat(4000),
    'short',
  ];
  const messages = Array.from({ length: 100 }, (_, index) =>
    messageOf(index + 1, authors[index % 2] ?? null, { text: texts[index % texts.length] ?? '' }),
  );
  const change = changeOf(messages);
  const parts = partsOf(change);
  expect(parts.flatMap((part) => part.messages)).toEqual(messages);
  for (const part of parts) {
    const text = encodeEnvelope(part);
    expect(Buffer.byteLength(text)).toBeLessThanOrEqual(64 * 1024);
    expect(decodeEnvelope(text)).toEqual(part);
  }
  // As many as the bytes need, not one per message.
  const bytes = parts.reduce((sum, part) => sum + Buffer.byteLength(encodeEnvelope(part)), 0);
  expect(parts.length).toBeLessThan((bytes / 65_536) * 1.7);
  expect(partsOf(changeOf(messages.filter(({ text }) => text === 'short')))).toHaveLength(1);
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
