import type { Part } from './parts.js';

/** A line of the bench's table: a figure, and what it is held to. */
export interface Row {
  /** What it is a row of. */
  readonly part: Part;
  readonly workload: string;
  /** Null where it could not be measured, which counts as a failure where there is a `must`. */
  readonly value: number | null;
  readonly unit: 'x' | 'ms' | 'KB' | 'µs' | 'MB';
  /** Whether the figure should be small or large. */
  readonly better: 'less' | 'more';
  readonly must: number | null;
  readonly aim: number | null;
  /** Where the figure comes from, and what limits it. */
  readonly note: string;
  /** Something other than the figure went wrong: a message lost, a rate not sustained. */
  readonly fault?: string;
}

export type Verdict = 'ok' | 'short of the aim' | 'FALLS SHORT' | '';

export const TABLE_HEAD = `| workload | figure | must | aim | | how |
|---|--:|--:|--:|---|---|`;

export function verdictOf({ value, better, must, aim, fault }: Row): Verdict {
  const meets = (bound: number | null) =>
    bound === null || (value !== null && (better === 'less' ? value <= bound : value >= bound));
  if (fault !== undefined || !meets(must)) return 'FALLS SHORT';
  if (must === null && aim === null) return '';
  return meets(aim) ? 'ok' : 'short of the aim';
}

/** A row of the Markdown table. */
export function tableRow(row: Row): string {
  const { workload, value, unit, better, must, aim, note, fault } = row;
  const sign = better === 'less' ? '≤' : '≥';
  const bound = (limit: number | null) => (limit === null ? '' : `${sign} ${limit}${unitText(unit)}`);
  const how = fault === undefined ? note : `${note} **${fault}**`;
  const cells = [
    workload,
    value === null ? '–' : `${figure(value)}${unitText(unit)}`,
    bound(must),
    bound(aim),
    verdictOf(row),
    how.replaceAll('\n', ' ').replaceAll('|', '\\|'),
  ];
  return `| ${cells.join(' | ')} |`;
}

function unitText(unit: Row['unit']): string {
  return unit === 'x' ? 'x' : ` ${unit}`;
}

/** Three digits that count. */
export function figure(value: number): string {
  const digits = Math.abs(value) >= 100 ? 0 : Math.abs(value) >= 10 ? 1 : 2;
  return value.toFixed(digits);
}
