import { expect, test } from 'vitest';
import { passwordIssues, preparePassword } from '../../../../src/domain/text/password.js';
import { TEXT_RULES } from '../../../../src/domain/text/text.js';

const passwordCodes = (password: string) =>
  passwordIssues(password, TEXT_RULES.password).map(({ code }) => code);

test('passwords are the same composed and decomposed, and with any space', () => {
  expect(preparePassword('pass\u00a0wo\u0308rd')).toBe('pass w\u00f6rd');
  expect(preparePassword('ﬁ Ω')).toBe('ﬁ Ω');
});

test.each([
  ['\u200b', 'a space without width'],
  ['\ufe0f', 'a variation selector'],
  ['\u202e', 'a change of direction'],
  ['\u0378', 'an unassigned code point'],
  ['\uffff', 'a noncharacter'],
  ['\ue000', 'a character for private use'],
  ['\u1112', 'a part of a Hangul syllable'],
  ['\u2028', 'a line separator'],
  ['\ud800', 'an unpaired surrogate'],
  ['\t', 'a control character'],
])('refuses a password with %j: %s', (character) => {
  expect(passwordCodes(`correct${character}horse`)).toEqual(['INVALID_CHARACTER']);
});

test.each([
  'correct horse battery',
  'зелёная лошадь',
  '安全なパスワード123',
  '안녕하세요여러분',
  '한글'.normalize('NFD').repeat(4),
  'ﬁ Ω ² ½ € 🔑',
  '`~!@#$%^&*()-_=+[]{}',
])('accepts the password %j', (password) => {
  expect(passwordCodes(password)).toEqual([]);
});

test('names what is wrong in a password', () => {
  expect(passwordIssues('correct\u200bhorse', TEXT_RULES.password)[0]?.message).toBe(
    '`password` must not contain invisible or unassigned characters, but contains U+200B.',
  );
});
