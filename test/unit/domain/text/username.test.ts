import { hash } from 'node:crypto';
import unhomoglyph from 'unhomoglyph';
import { expect, test } from 'vitest';
import { TEXT_RULES } from '../../../../src/domain/text/text.js';
import {
  isPossibleUsername,
  prepareUsername,
  usernameIssues,
  usernameSkeleton,
} from '../../../../src/domain/text/username.js';

const usernameCodes = (username: string) =>
  usernameIssues(prepareUsername(username), TEXT_RULES.username).map(({ code }) => code);

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
  ['ᴀᴅᴍɪɴ', 'small capitals'],
  ['admɪn', 'one small capital'],
  ['ᴤᴄᴏᴘᴇ', 'letters of phonetic notation'],
  ['12אב', 'a right-to-left name that begins with a digit'],
  ['_שלום', 'a right-to-left name that begins with a line'],
  ['שלום-', 'a right-to-left name that ends with a line'],
  ['علي1٢', 'European and Arabic digits'],
  ['٣٤٥', 'Arabic digits alone'],
  ['علي٤۴', 'the digits of two countries'],
  ['राम१२3', 'Devanagari and ASCII digits'],
  ['ada\u0337', 'a mark that strikes a letter out'],
  ['adb\u0323\u0323', 'a doubled mark'],
  ['adb\u0323\u0324\u0325\u0326\u0327\u032d', 'a stack of marks'],
])('refuses the username %j: %s', (username) => {
  expect(usernameCodes(username)).toEqual(['INVALID_CHARACTER']);
});

test.each([
  'admin',
  'Zoe.de_la-Cruz9',
  'Əliyev',
  'Kɔfi_ɛ',
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
  'علي٣٤٥',
  'علي۳۴۵',
  'שלום.12',
  'राम१२३',
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
  ['ad min', 'U+0020'],
  ['admin\u200b', 'U+200B'],
  ['ad\u{e0061}min', 'U+E0061'],
  ['ﬁona', 'U+FB01'],
])('names what is wrong in the username %j: %s', (username, codePoint) => {
  expect(usernameIssues(username, TEXT_RULES.username)[0]?.message).toContain(`but contains ${codePoint}.`);
});

test.each([
  ['аррӏе', 'apple'],
  ['АРРӀЕ', 'apple'],
  ['ΝΑΝΑ', 'nana'],
  ['МАМА', 'mama'],
  ['раураӏ', 'PayPal'],
  ['ѕсоре', 'Scope'],
  ['ᎪᎠᎷᎥᏁ'.slice(0, 1).repeat(3), 'AAA'],
  ['admín', 'adm\u0131\u0301n'],
  ['ӏосаӏ', '1ocal'],
  ['ООО', '000'],
  ['ad\u200bmin', 'admin'],
])('%j looks like %j', (username, other) => {
  expect(usernameSkeleton(username)).toBe(usernameSkeleton(other));
});

test.each([
  ['zoë', 'zoe'],
  ['мама', 'papa'],
  ['олег', 'oleg'],
  ['田中', '田口'],
  ['김민준', '김민중'],
  ['şule', 'sule'],
])('%j does not look like %j', (username, other) => {
  expect(usernameSkeleton(username)).not.toBe(usernameSkeleton(other));
});

test('the data of skeletons is what stored ones were made with: else a migration must set those to null', () => {
  const characters = Array.from({ length: 0x20000 }, (_, code) => code).filter(
    (code) => code < 0xd800 || code > 0xdfff,
  );
  const looks = characters.map((code) => unhomoglyph(String.fromCodePoint(code))).join('\n');
  expect(hash('sha256', looks)).toMatchInlineSnapshot(
    `"d6f79d9a97db062c5e05ec1ea8d44d57ea4480ba01041d9262df0cb35de62a8e"`,
  );
});
