import { expect, test } from 'vitest';
import type { Message } from '../../../../src/domain/message/message.js';
import { createProfiles } from '../../../../src/domain/recent/profiles.js';
import type { User } from '../../../../src/domain/user.js';

const named = (displayName: string, id = 'ada'): User => ({
  id,
  username: id,
  displayName,
  avatarUrl: null,
  createdAt: new Date(0),
});
const messageOf = (author: User | undefined, createdAt: number): Message => ({
  id: 'message',
  roomId: 'room',
  seq: 1,
  rev: 1,
  type: 'TEXT',
  authorId: author?.id ?? null,
  author,
  subjectId: null,
  text: '',
  revision: 1,
  clientMessageId: null,
  createdAt: new Date(createdAt),
  changedAt: null,
});

test('a message that is older than a change of its author shows the new profile', () => {
  const profiles = createProfiles();
  const message = messageOf(named('Ada'), 10);
  expect(profiles.current(message)).toBe(message);
  profiles.remember({ user: named('Countess'), changedAt: new Date(20) });
  expect(profiles.current(message)).toEqual({ ...message, author: named('Countess') });
  expect(profiles.current(messageOf(named('Bob', 'bob'), 10)).author?.displayName).toBe('Bob');
});

test('a message that was sent after the change keeps its author, whose profile is as new or newer', () => {
  const profiles = createProfiles();
  profiles.remember({ user: named('Countess'), changedAt: new Date(20) });
  expect(profiles.current(messageOf(named('Lovelace'), 30)).author?.displayName).toBe('Lovelace');
});

test('of two changes, the later one counts, in whatever order they arrive', () => {
  const profiles = createProfiles();
  profiles.remember({ user: named('Lovelace'), changedAt: new Date(30) });
  profiles.remember({ user: named('Countess'), changedAt: new Date(20) });
  expect(profiles.current(messageOf(named('Ada'), 10)).author?.displayName).toBe('Lovelace');
});

test('a message without an author stays without one', () => {
  const profiles = createProfiles();
  profiles.remember({ user: named('Countess'), changedAt: new Date(20) });
  expect(profiles.current(messageOf(undefined, 10)).author).toBeUndefined();
});
