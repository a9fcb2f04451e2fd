import { ValidationError, type ValidationIssue } from '../errors.js';

/** Rules for an input text. Lengths are in Unicode code points. */
export interface TextRule {
  readonly min: number;
  readonly max: number;
  /** `text`: everything that can be stored. `line`: no control characters. */
  readonly form: 'text' | 'line';
}

/** The rules of all input texts. The descriptions in the GraphQL schema state the same limits. */
export const TEXT_RULES = {
  username: { min: 3, max: 32, form: 'line' },
  password: { min: 8, max: 128, form: 'line' },
  displayName: { min: 1, max: 64, form: 'line' },
  avatarUrl: { min: 1, max: 2048, form: 'line' },
  roomName: { min: 1, max: 80, form: 'line' },
  roomTopic: { min: 0, max: 280, form: 'line' },
  /** Stored as given: neither normalized nor trimmed. */
  messageText: { min: 1, max: 4000, form: 'text' },
  clientMessageId: { min: 1, max: 64, form: 'text' },
} as const satisfies Record<string, TextRule>;

/** Postgres stores every character but NUL. */
const FORBIDDEN_CHARACTERS = {
  text: { pattern: /\0/, name: 'NUL characters' },
  line: { pattern: /\p{Cc}/u, name: 'control characters' },
};

/** Returns all issues of one text. */
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
      message: `\`${field}\` must have at most ${rule.max} characters, but has ${length}.`,
    });
  if (!text.isWellFormed())
    issues.push({
      field,
      code: 'INVALID_CHARACTER',
      message: `\`${field}\` must not contain unpaired surrogates.`,
    });
  const { pattern, name } = FORBIDDEN_CHARACTERS[rule.form];
  if (pattern.test(text))
    issues.push({ field, code: 'INVALID_CHARACTER', message: `\`${field}\` must not contain ${name}.` });
  return issues;
}

export function avatarUrlIssues(avatarUrl: string): ValidationIssue[] {
  const issues = textIssues('avatarUrl', avatarUrl, TEXT_RULES.avatarUrl);
  const isWebUrl = URL.canParse(avatarUrl) && ['http:', 'https:'].includes(new URL(avatarUrl).protocol);
  if (issues.length === 0 && !isWebUrl)
    issues.push({
      field: 'avatarUrl',
      code: 'INVALID_FORMAT',
      message: '`avatarUrl` must be an http or https URL.',
    });
  return issues;
}

/** @throws ValidationError with all issues, if there are any. */
export function assertValid(...issues: readonly ValidationIssue[][]): void {
  const found = issues.flat();
  if (found.length > 0) throw new ValidationError(found);
}

/** Returns the length of a text in Unicode code points: an emoji outside the basic plane counts as one. */
export function codePoints(text: string): number {
  let count = 0;
  for (const _ of text) count += 1;
  return count;
}
