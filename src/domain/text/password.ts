import type { ValidationIssue } from '../errors.js';
import { INVISIBLE, invalidCharacter } from './names.js';
import { type TextRule, textIssues } from './text.js';

/** What the FreeformClass of RFC 8264 admits; of Hangul, complete syllables only. */
const ADMITTED = '\\p{L}\\p{M}\\p{N}\\p{P}\\p{S}\\p{Zs}';
const JAMO = '\\u1100-\\u11ff\\ua960-\\ua97f\\ud7b0-\\ud7ff';
const NOT_ADMITTED = new RegExp(`[^${ADMITTED}]|[${JAMO}]`, 'u');

/**
 * Prepares a password by the profile OpaqueString of RFC 8265: every space becomes U+0020, and composed and decomposed
 * letters are the same, so that it does not matter which keyboard or system a password is typed on.
 */
export function preparePassword(password: string): string {
  return password.replace(/\p{Zs}/gu, ' ').normalize('NFC');
}

/** Issues of a new password: it must not contain what other systems or releases of Unicode would prepare differently. */
export function passwordIssues(password: string, rule: TextRule): ValidationIssue[] {
  const issues = textIssues('password', password, rule);
  if (issues.some(({ code }) => code === 'INVALID_CHARACTER')) return issues;
  const prepared = preparePassword(password);
  const found = INVISIBLE.exec(prepared) ?? NOT_ADMITTED.exec(prepared);
  if (found === null) return issues;
  return [
    ...issues,
    invalidCharacter('password', 'must not contain invisible or unassigned characters', found[0]),
  ];
}
