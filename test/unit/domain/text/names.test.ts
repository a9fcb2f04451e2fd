import { expect, test } from 'vitest';
import { nameIssues } from '../../../../src/domain/text/names.js';
import { TEXT_RULES } from '../../../../src/domain/text/text.js';

const nameCodes = (name: string) => nameIssues('name', name, TEXT_RULES.roomName).map(({ code }) => code);

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

test('names the invisible character in a name', () => {
  expect(nameIssues('name', 'a\u202eb', TEXT_RULES.roomName)[0]?.message).toBe(
    '`name` must not contain invisible characters, nor such that change the direction, but contains U+202E.',
  );
});
