import { isFlawless, type Outcome, type Scenario } from './scenario.js';
import { percentile } from './verdict/check.js';

/** The outcome of a scenario, or the error that it failed with. */
export type Result = { readonly outcome: Outcome } | { readonly error: unknown };

export const TABLE_HEAD = `| scenario | sent | acked | lost | duplicated | out of order | unseen | recovery p50, ms | p99, ms | seconds | |
|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|---|`;

/** Formats a row of the Markdown table. */
export function tableRow({ name, title }: Scenario, result: Result, seconds: number): string {
  return `| ${[`${title} (\`${name}\`)`, ...figures(result), seconds.toFixed(0), note(result)].join(' | ')} |`;
}

export function passed(result: Result): boolean {
  return 'outcome' in result && isFlawless(result.outcome);
}

function figures(result: Result): readonly string[] {
  if ('error' in result) return Array<string>(8).fill('–');
  const { sent, acked, lost, duplicated, outOfOrder, unseen, recoveryMs } = result.outcome;
  return [
    sent,
    acked,
    lost,
    duplicated,
    outOfOrder,
    unseen,
    ...[50, 99].map((p) => percentile(recoveryMs, p)),
  ].map((value) => (value === null ? '–' : Math.round(value).toLocaleString('en')));
}

function note(result: Result): string {
  const text = 'error' in result ? String(result.error) : (result.outcome.notes ?? '');
  const line = text.replaceAll('\n', ' ').replaceAll('|', '\\|');
  return passed(result) ? line : `**FAILED** ${line}`;
}
