import type { ValidationIssue } from '../errors.js';
import { type TextRule, textIssues } from './text.js';

/*
 * Names that people read: they must not look like something that they are not. Usernames follow RFC 8265
 * (UsernameCaseMapped) and the profile "Highly Restrictive" of UTS 39; display names, room names and topics the spirit of
 * RFC 8266 (Nickname). Only new names are checked, so existing ones go on working.
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

const USERNAME_CHARACTERS = /^[\p{L}\p{M}\p{N}_.-]*$/u;
/** Also the anchors of annotations. */
const INVISIBLE = /[\p{Default_Ignorable_Code_Point}\ufff9-\ufffb]/u;
const HALF_AND_FULL_WIDTH = /[\uff01-\uffee]/g;

/** The form in which a new username is stored: letters of half and full width become ordinary ones (RFC 8265). */
export function prepareUsername(username: string): string {
  return username.replace(HALF_AND_FULL_WIDTH, (letter) => letter.normalize('NFKC')).normalize('NFC');
}

/** Whether this can be the username of any account, of this release or an older one. */
export function isPossibleUsername(username: string, rule: TextRule): boolean {
  return textIssues('username', username, rule).length === 0 && USERNAME_CHARACTERS.test(username);
}

/** Issues of a new username, which `prepareUsername` has prepared. */
export function usernameIssues(username: string, rule: TextRule): ValidationIssue[] {
  const issues = textIssues('username', username, rule);
  if (issues.some(({ code }) => code === 'INVALID_CHARACTER')) return issues;
  const problem = usernameProblem(username);
  return problem === null ? issues : [...issues, invalidCharacter('username', problem)];
}

function usernameProblem(username: string): string | null {
  if (!USERNAME_CHARACTERS.test(username))
    return 'can only contain letters and digits of any script, `_`, `.` and `-`';
  if (INVISIBLE.test(username)) return 'must not contain invisible characters';
  if (/(?:^|[_.-])\p{M}/u.test(username)) return 'must not contain a combining mark without its letter';
  if (username.normalize('NFKC') !== username)
    return 'must not contain variants of other characters, such as ligatures: use the ordinary ones';
  if (!WRITTEN_IN_ONE_SYSTEM.some((system) => system.test(username)))
    return 'must not mix scripts, such as Latin and Cyrillic';
  return null;
}

/** What may be invisible within emoji and within words of some scripts. The flag `v` knows sequences of emoji. */
const PICTOGRAM = '\\p{Extended_Pictographic}[\\u{fe0e}\\u{fe0f}]?';
const EMOJI = new RegExp(`\\p{RGI_Emoji}|${PICTOGRAM}(?:\\u{200d}${PICTOGRAM})*`, 'gv');
/** Scripts whose letters change their shapes beside a joiner or a non-joiner. */
const JOINING = [
  ...['Arabic', 'Syriac', 'Mandaic', 'Nko', 'Adlam', 'Mongolian', 'Devanagari', 'Bengali', 'Gurmukhi'],
  ...['Gujarati', 'Oriya', 'Tamil', 'Telugu', 'Kannada', 'Malayalam', 'Sinhala', 'Khmer', 'Myanmar'],
  ...['Tibetan'],
].map((script) => `\\p{Script=${script}}`);
const JOINERS = new RegExp(
  `(?<=[${JOINING.join('')}\\p{Script=Inherited}])[\\u200c\\u200d](?=[${JOINING.join('')}])`,
  'gu',
);
const IDEOGRAPHIC_VARIANTS = /(?<=\p{Script=Han})[\u{e0100}-\u{e01ef}]/gu;
/** Spaces, Braille's pattern without a dot, which looks like one, and marks without a letter. */
const BLANKS = /^[\s\u2800\p{M}]*$/u;

/**
 * Issues of a display name, a room's name or topic: it has a visible character, and none that is invisible or changes the
 * direction of what follows.
 */
export function nameIssues(field: string, name: string, rule: TextRule): ValidationIssue[] {
  const issues = textIssues(field, name, rule);
  if (issues.length > 0) return issues;
  const others = name.replace(JOINERS, '').replace(IDEOGRAPHIC_VARIANTS, '').replace(EMOJI, 'x');
  if (INVISIBLE.test(others) || /[\p{Zl}\p{Zp}]/u.test(others))
    return [
      invalidCharacter(field, 'must not contain invisible characters, nor such that change the direction'),
    ];
  return BLANKS.test(others) && name !== ''
    ? [{ field, code: 'TOO_SHORT', message: `\`${field}\` must contain a visible character.` }]
    : [];
}

function invalidCharacter(field: string, rule: string): ValidationIssue {
  return { field, code: 'INVALID_CHARACTER', message: `\`${field}\` ${rule}.` };
}
