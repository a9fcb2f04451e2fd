import { expect, test } from 'vitest';
import {
  isPossibleUsername,
  nameIssues,
  prepareUsername,
  usernameIssues,
} from '../../../../src/domain/text/names.js';
import { preparePassword } from '../../../../src/domain/text/password.js';
import { TEXT_RULES } from '../../../../src/domain/text/text.js';

const usernameCodes = (username: string) =>
  usernameIssues(prepareUsername(username), TEXT_RULES.username).map(({ code }) => code);
const nameCodes = (name: string) => nameIssues('name', name, TEXT_RULES.roomName).map(({ code }) => code);

test.each([
  ['admin\ufe0f', 'a variation selector'],
  ['admin\u034f', 'a grapheme joiner'],
  ['admin\u3164', 'a Hangul filler'],
  ['admin\u115f', 'a Hangul filler'],
  ['admin\uffa0', 'a Hangul filler of half width'],
  ['admin\u180b', 'a Mongolian variation selector'],
  ['ad\u200bmin', 'a space without width'],
  ['ad\u00admin', 'a soft hyphen'],
  ['admin\u{e0061}', 'a tag'],
  ['\u0301admin', 'a leading mark'],
  ['\u0301\u0302\u0303', 'marks only'],
  ['a_\u0301b', 'a mark without its letter'],
  ['ﬁona', 'a ligature'],
  ['𝔞𝔡𝔪𝔦𝔫', 'mathematical letters'],
  ['ⅷiii', 'a Roman numeral'],
  ['аdmin', 'a Cyrillic а among Latin letters'],
  ['admіn', 'a Cyrillic і among Latin letters'],
  ['αdmin', 'a Greek α among Latin letters'],
  ['ԁжон_d', 'Latin after Cyrillic'],
  ['ᎪdminX', 'a Cherokee letter among Latin ones'],
])('refuses the username %j: %s', (username) => {
  expect(usernameCodes(username)).toEqual(['INVALID_CHARACTER']);
});

test.each([
  'admin',
  'Zoe.de_la-Cruz9',
  'Владимир',
  'Ελένη',
  'هنية',
  'דָּוִד',
  'हिन्दी',
  '山田太郎',
  'やまだタロウ',
  '田中tanaka',
  '김민준_kim',
  'ⵉⵎⴰⵣⵉⵖⵏ',
  'ᏣᎳᎩ',
  'user٣٤٥'.slice(4),
  'zoe\u0308',
  'é'.repeat(32),
])('accepts the username %j', (username) => {
  expect(usernameCodes(username)).toEqual([]);
});

test('letters of full width become ordinary ones', () => {
  expect(prepareUsername('ＡＤＭＩＮ１')).toBe('ADMIN1');
});

test('existing usernames that would be refused today are possible, impossible ones are not', () => {
  for (const username of ['ﬁona', 'аdmin', 'admin\ufe0f'])
    expect(isPossibleUsername(username, TEXT_RULES.username)).toBe(true);
  for (const username of ['', 'a b', 'x'.repeat(33), 'nul\0nul'])
    expect(isPossibleUsername(username, TEXT_RULES.username)).toBe(false);
});

test.each([
  ['a\u202eb', 'INVALID_CHARACTER'],
  ['a\u2066b', 'INVALID_CHARACTER'],
  ['a\u200fb', 'INVALID_CHARACTER'],
  ['a\u061cb', 'INVALID_CHARACTER'],
  ['\u200b', 'INVALID_CHARACTER'],
  ['\u3164', 'INVALID_CHARACTER'],
  ['a\u200bb', 'INVALID_CHARACTER'],
  ['a\u00adb', 'INVALID_CHARACTER'],
  ['a\u2028b', 'INVALID_CHARACTER'],
  ['a\u{e0041}b', 'INVALID_CHARACTER'],
  ['\u200d\u200d', 'INVALID_CHARACTER'],
  ['a\ufe0f', 'INVALID_CHARACTER'],
  ['ad\u200dmin', 'INVALID_CHARACTER'],
  ['а\u200cд', 'INVALID_CHARACTER'],
  ['1\ufe0f23', 'INVALID_CHARACTER'],
  ['a\ufff9b', 'INVALID_CHARACTER'],
  ['\u0301', 'TOO_SHORT'],
  ['a\nb', 'INVALID_CHARACTER'],
  ['\u2800', 'TOO_SHORT'],
  [' \u2003 ', 'TOO_SHORT'],
  ['', 'TOO_SHORT'],
])('refuses the name %j: %s', (name, code) => {
  expect(nameCodes(name)).toEqual([code]);
});

test.each([
  'General',
  '👨‍👩‍👧 family',
  '❤️',
  '☺︎ text',
  '🏴󠁧󠁢󠁥󠁮󠁧󠁿',
  '#️⃣ general',
  '❤\u200d🔥',
  'র\u200d্যাব',
  '❤️\u200d🔥',
  'می‌خواهم',
  'ක්‍ෂ',
  '葛󠄀城',
  'שלום world',
  'مرحبا 123',
])('accepts the name %j', (name) => {
  expect(nameCodes(name)).toEqual([]);
});

test('passwords are the same composed and decomposed, and with any space', () => {
  expect(preparePassword('pass\u00a0wo\u0308rd')).toBe('pass w\u00f6rd');
  expect(preparePassword('ﬁ Ω')).toBe('ﬁ Ω');
});
