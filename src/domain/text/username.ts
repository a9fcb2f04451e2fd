import unhomoglyph from 'unhomoglyph';
import type { ValidationIssue } from '../errors.js';
import { INVISIBLE, invalidCharacter } from './names.js';
import { type TextRule, textIssues } from './text.js';

/*
 * Usernames: none may look like another one. New ones follow RFC 8265 (UsernameCaseMapped) and the profile "Highly
 * Restrictive" of UTS 39; existing ones go on working.
 */

/** Scripts in customary use today: UAX 31, tables 5 and 7. */
const SCRIPTS = [
  ...['Arabic', 'Armenian', 'Bengali', 'Bopomofo', 'Cyrillic', 'Devanagari', 'Ethiopic', 'Georgian', 'Greek'],
  ...['Gujarati', 'Gurmukhi', 'Han', 'Hangul', 'Hebrew', 'Hiragana', 'Kannada', 'Katakana', 'Khmer', 'Lao'],
  ...['Latin', 'Malayalam', 'Myanmar', 'Oriya', 'Sinhala', 'Tamil', 'Telugu', 'Thaana', 'Thai', 'Tibetan'],
  ...['Adlam', 'Balinese', 'Bamum', 'Batak', 'Canadian_Aboriginal', 'Chakma', 'Cham', 'Cherokee', 'Javanese'],
  ...['Hanifi_Rohingya', 'Kayah_Li', 'Lepcha', 'Limbu', 'Lisu', 'Mandaic', 'Meetei_Mayek', 'Miao', 'Nko'],
  ...['New_Tai_Lue', 'Newa', 'Nyiakeng_Puachue_Hmong', 'Ol_Chiki', 'Osage', 'Saurashtra', 'Sundanese', 'Yi'],
  ...['Syloti_Nagri', 'Syriac', 'Tai_Le', 'Tai_Tham', 'Tai_Viet', 'Tifinagh', 'Vai', 'Wancho'],
];

/** Scripts that one name may mix (UTS 39, section 5.2): those that Japanese, Chinese and Korean are written in. */
const MIXTURES = [
  ['Latin', 'Han', 'Hiragana', 'Katakana'],
  ['Latin', 'Han', 'Bopomofo'],
  ['Latin', 'Han', 'Hangul'],
];

const WRITTEN_IN_ONE_SYSTEM = [...MIXTURES, ...SCRIPTS.map((script) => [script])].map((scripts) => {
  const classes = [...scripts, 'Common', 'Inherited'].map((script) => `\\p{Script_Extensions=${script}}`);
  return new RegExp(`^[${classes.join('')}]*$`, 'u');
});

/** Letters and digits that are written from right to left (the classes R and AL of UAX 9). */
const RIGHT_TO_LEFT = `[[${[
  'Hebrew',
  'Arabic',
  'Syriac',
  'Thaana',
  'Nko',
  'Adlam',
  'Mandaic',
  'Hanifi_Rohingya',
]
  .map((script) => `\\p{Script=${script}}`)
  .join('')}]--\\p{M}--[\\u0660-\\u0669\\u06f0-\\u06f9\\u{10d30}-\\u{10d39}]]`;
const ARABIC_DIGITS = '[\\u0660-\\u0669\\u{10d30}-\\u{10d39}]';
const EUROPEAN_DIGITS = '[0-9\\u06f0-\\u06f9]';

/** Names to which the Bidi Rule of RFC 5893 applies, and those that it admits: others are displayed in a wrong order. */
const NEEDS_BIDI_RULE = new RegExp(`${RIGHT_TO_LEFT}|${ARABIC_DIGITS}`, 'v');
const FOLLOWS_BIDI_RULE = new RegExp(
  `^(?!.*${ARABIC_DIGITS}.*${EUROPEAN_DIGITS}|.*${EUROPEAN_DIGITS}.*${ARABIC_DIGITS})` +
    `${RIGHT_TO_LEFT}(?:.*(?:${RIGHT_TO_LEFT}|${ARABIC_DIGITS}|${EUROPEAN_DIGITS}))?\\p{M}*$`,
  'v',
);

const NOT_IN_USERNAMES = /[^\p{L}\p{M}\p{N}_.-]/u;
/** Small capitals and other letters of phonetic notation, which look like ordinary ones (UTS 39: technical characters). */
const PHONETIC = /[\u0262\u026a\u0274\u0280\u028f\u0299\u029c\u029f\u1d00-\u1dbf\ua730\ua731]/u;
const MARK_WITHOUT_LETTER = /(?<=^|[_.-])\p{M}/u;
/** Marks that cannot be seen in such a number (UTS 39, section 5.4), or that strike a letter out. */
const CONFUSING_MARKS = /(\p{Mn})\1|\p{Mn}{5}|[\u0334-\u0338]/u;
const ALL_INVISIBLE = new RegExp(INVISIBLE, 'gu');
const HALF_AND_FULL_WIDTH = /[\uff01-\uffee]/g;

/** The form in which a new username is stored: letters of half and full width become ordinary ones (RFC 8265). */
export function prepareUsername(username: string): string {
  return username.replace(HALF_AND_FULL_WIDTH, (letter) => letter.normalize('NFKC')).normalize('NFC');
}

/**
 * Returns the form in which usernames are compared: without letter case and in one Unicode normal form.
 *
 * Converting to lower, upper and lower case again approximates Unicode's full case folding, which JavaScript lacks: `ß`
 * equals `SS` by its upper case, and `ẞ` equals `ß` by its lower case.
 */
export function usernameKey(username: string): string {
  return username.normalize('NFKC').toLowerCase().toUpperCase().toLowerCase().normalize('NFKC');
}

/**
 * Returns what a username looks like: names that can be mistaken for each other have equal skeletons (UTS 39, section 4).
 * Since letter case does not distinguish usernames, neither do `m` and `rn`, nor `i` and `l`, of which one is the skeleton
 * of the other's capital.
 *
 * Skeletons are stored. After a change of this function, or of the library's data, a migration sets them to null, and they
 * are written again.
 */
export function usernameSkeleton(username: string): string {
  const visible = username.normalize('NFD').replace(ALL_INVISIBLE, '');
  return unhomoglyph(visible).normalize('NFD').toLowerCase().replaceAll('rn', 'm').replaceAll('i', 'l');
}

/** Whether this can be the username of any account, of this release or an older one. */
export function isPossibleUsername(username: string, rule: TextRule): boolean {
  return textIssues('username', username, rule).length === 0 && !NOT_IN_USERNAMES.test(username);
}

/** Issues of a new username, which `prepareUsername` has prepared. */
export function usernameIssues(username: string, rule: TextRule): ValidationIssue[] {
  const issues = textIssues('username', username, rule);
  if (issues.some(({ code }) => code === 'INVALID_CHARACTER')) return issues;
  const issue = characterIssue(username);
  return issue === null ? issues : [...issues, issue];
}

function characterIssue(username: string): ValidationIssue | null {
  const issue = (message: string, part?: string) => invalidCharacter('username', message, part);
  const found = (pattern: RegExp) => pattern.exec(username)?.[0];
  const other = found(NOT_IN_USERNAMES);
  if (other !== undefined)
    return issue('can only contain letters and digits of any script, `_`, `.` and `-`', other);
  const invisible = found(INVISIBLE);
  if (invisible !== undefined) return issue('must not contain invisible characters', invisible);
  const phonetic = found(PHONETIC);
  if (phonetic !== undefined) return issue('must not contain letters of phonetic notation', phonetic);
  const lonely = found(MARK_WITHOUT_LETTER);
  if (lonely !== undefined) return issue('must not contain a combining mark without its letter', lonely);
  const confusing = CONFUSING_MARKS.exec(username.normalize('NFD'))?.[0];
  if (confusing !== undefined)
    return issue('must not contain marks that are doubled, stacked or strike a letter out', confusing);
  if (username.normalize('NFKC') !== username)
    return issue(
      'must not contain variants of other characters, such as ligatures: use the ordinary ones',
      [...username].find((character) => character.normalize('NFKC') !== character),
    );
  if (!WRITTEN_IN_ONE_SYSTEM.some((system) => system.test(username)))
    return issue('must not mix scripts, such as Latin and Cyrillic');
  if (mixesDigits(username)) return issue('must not mix the digits of two scripts');
  if (NEEDS_BIDI_RULE.test(username) && !FOLLOWS_BIDI_RULE.test(username))
    return issue(
      'must begin with a letter and end with a letter or digit, as its script runs from right to left',
    );
  return null;
}

/** UTS 39, section 5.3. The ten digits of each script follow one another. */
function mixesDigits(username: string): boolean {
  const digits = (username.match(/\p{Nd}/gu) ?? []).map((digit) => digit.codePointAt(0) ?? 0);
  return digits.length > 0 && Math.max(...digits) - Math.min(...digits) > 9;
}
