import { expect, test } from 'vitest';
import { ValidationError } from '../../../../src/domain/errors.js';
import { assertValid, codePoints, textIssues } from '../../../../src/domain/text/text.js';
import { usernameKey } from '../../../../src/domain/text/username.js';

const TEXT = { min: 1, max: 5, form: 'text' } as const;
const LINE = { min: 1, max: 5, form: 'line' } as const;
const codes = (text: string, rule: typeof TEXT | typeof LINE) =>
  textIssues('x', text, rule).map((issue) => issue.code);

test('counts characters as Unicode code points', () => {
  expect(['', 'ab', 'é', 'e\u0301', '🎉', '👨‍👩‍👧'].map(codePoints)).toEqual([0, 2, 1, 2, 1, 5]);
});

test.each([
  ['', ['TOO_SHORT']],
  ['a', []],
  ['🎉🎉🎉🎉🎉', []],
  ['🎉🎉🎉🎉🎉🎉', ['TOO_LONG']],
  ['a\0b', ['INVALID_CHARACTER']],
  ['a\ud83c', ['INVALID_CHARACTER']],
  ['\udf89a', ['INVALID_CHARACTER']],
  ['a\n\tb', []],
  ['123456\0', ['TOO_LONG', 'INVALID_CHARACTER']],
])('validates the text %j: %j', (text, expected) => {
  expect(codes(text, TEXT)).toEqual(expected);
});

test.each(['a\nb', 'a\tb', 'a\0b', 'a\u007fb', 'a\u0085b'])(
  'rejects control characters in a line: %j',
  (text) => {
    expect(codes(text, LINE)).toEqual(['INVALID_CHARACTER']);
  },
);

test('reports all issues of all fields at once', () => {
  const validate = () => assertValid(textIssues('a', '', TEXT), [], textIssues('b', '123456', TEXT));
  expect(validate).toThrow(ValidationError);
  expect(validate).toThrow(
    expect.objectContaining({
      issues: [
        expect.objectContaining({ field: 'a', code: 'TOO_SHORT' }),
        expect.objectContaining({ field: 'b', code: 'TOO_LONG' }),
      ],
    }),
  );
  expect(() => assertValid([], [])).not.toThrow();
});

test.each([
  ['alice', 'ALICE'],
  ['zoë', 'zoe\u0308'],
  ['Zoë', 'ZOE\u0308'],
  ['ﬁona', 'FIONA'],
  ['straße', 'STRASSE'],
  ['straße', 'STRAẞE'],
  ['ΟΔΟΣ', 'οδος'],
  ['οδοσ', 'οδος'],
  ['ｆｕｌｌ', 'full'],
  ['dž', 'ǆ'],
  ['\u212aelvin', 'kelvin'],
])('treats the usernames %s and %s as equal', (one, other) => {
  expect(usernameKey(one)).toBe(usernameKey(other));
});

test.each([
  ['alice', 'alicé'],
  ['o', '0'],
  ['a.b', 'ab'],
])('treats the usernames %s and %s as different', (one, other) => {
  expect(usernameKey(one)).not.toBe(usernameKey(other));
});

test('the key of a username key is that key itself, for every character', () => {
  for (let code = 0x21; code <= 0x1ffff; code += 1) {
    if (code >= 0xd800 && code <= 0xdfff) continue;
    const key = usernameKey(String.fromCodePoint(code));
    if (usernameKey(key) !== key) expect.fail(`U+${code.toString(16)}: ${key}, then ${usernameKey(key)}`);
  }
});
