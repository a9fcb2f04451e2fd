import { ValidationError, type ValidationIssue } from './errors.js';

/** What a text of an input may be. Lengths are in characters as people count them: Unicode code points. */
export interface TextRule {
  readonly min: number;
  readonly max: number;
  /** `text`: anything that can be stored. `line`: no control characters. */
  readonly form: 'text' | 'line';
}

/** Postgres stores any character but NUL. */
const FORBIDDEN = {
  text: { pattern: /\0/, name: 'a NUL' },
  line: { pattern: /\p{Cc}/u, name: 'a control character' },
};

/** All that is wrong with one text. */
export function textIssues(field: string, text: string, rule: TextRule): ValidationIssue[] {
  const issues: ValidationIssue[] = [];
  const length = codePoints(text);
  if (length < rule.min)
    issues.push({
      field,
      code: 'TOO_SHORT',
      message: `\`${field}\` must have at least ${rule.min} character${rule.min === 1 ? '' : 's'}.`,
    });
  if (length > rule.max)
    issues.push({
      field,
      code: 'TOO_LONG',
      message: `\`${field}\` must have at most ${rule.max} characters; it has ${length}.`,
    });
  if (!text.isWellFormed())
    issues.push({
      field,
      code: 'INVALID_CHARACTER',
      message: `\`${field}\` holds half of a surrogate pair.`,
    });
  const { pattern, name } = FORBIDDEN[rule.form];
  if (pattern.test(text))
    issues.push({ field, code: 'INVALID_CHARACTER', message: `\`${field}\` holds ${name}.` });
  return issues;
}

/** @throws ValidationError with every issue found, where there is any. */
export function assertValid(...issues: readonly ValidationIssue[][]): void {
  const found = issues.flat();
  if (found.length > 0) throw new ValidationError(found);
}

/** Length of a text in Unicode code points: an emoji outside the basic plane counts once. */
export function codePoints(text: string): number {
  let count = 0;
  for (const _ of text) count += 1;
  return count;
}
