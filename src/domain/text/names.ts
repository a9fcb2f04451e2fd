import type { ValidationIssue } from '../errors.js';
import { type TextRule, textIssues } from './text.js';

/*
 * Display names, room names and topics: they must not look like something that they are not, in the spirit of RFC 8266
 * (Nickname). Only new ones are checked, so existing ones go on working.
 */

/** Also the anchors of annotations. */
export const INVISIBLE = /[\p{Default_Ignorable_Code_Point}\ufff9-\ufffb]/u;

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
  const invisible = INVISIBLE.exec(others) ?? /[\p{Zl}\p{Zp}]/u.exec(others);
  if (invisible)
    return [
      invalidCharacter(
        field,
        'must not contain invisible characters, nor such that change the direction',
        invisible[0],
      ),
    ];
  return BLANKS.test(others) && name !== ''
    ? [{ field, code: 'TOO_SHORT', message: `\`${field}\` must contain a visible character.` }]
    : [];
}

/** @param part what is invalid; the message names its code points, since it may be invisible. */
export function invalidCharacter(field: string, rule: string, part?: string): ValidationIssue {
  const found = part === undefined ? '' : `, but contains ${codePointNames(part)}`;
  return { field, code: 'INVALID_CHARACTER', message: `\`${field}\` ${rule}${found}.` };
}

function codePointNames(part: string): string {
  const names = Array.from(part, (character) => character.codePointAt(0)?.toString(16).toUpperCase() ?? '');
  return names.map((name) => `U+${name.padStart(4, '0')}`).join(' ');
}
