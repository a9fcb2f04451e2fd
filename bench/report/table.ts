import type { Part } from '../workloads.js';

/** A row of the bench's table: a figure and its bounds. */
export interface Row {
  /** The part of the bench that this row belongs to. */
  readonly part: Part;
  readonly workload: string;
  /** Null if it could not be measured, which is a failure if the row has a `must`. */
  readonly value: number | null;
  readonly unit: 'x' | 'ms' | 'KB' | 'MB' | '%' | 'transactions';
  /** Whether a lower or a higher figure is better. */
  readonly better: 'less' | 'more';
  /** The bound that the figure has to meet. */
  readonly must: number | null;
  /** The bound that the figure should meet. */
  readonly aim: number | null;
  /** How the figure was obtained, and what limits it. */
  readonly note: string;
  /** A failure other than the figure: a lost message, a rate that was not sustained. */
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

/** Formats a row of the Markdown table. */
export function tableRow(row: Row): string {
  const { workload, value, unit, better, must, aim, note, fault } = row;
  const sign = better === 'less' ? '≤' : '≥';
  const bound = (limit: number | null) => (limit === null ? '' : `${sign} ${limit}${unitText(unit)}`);
  const how = fault === undefined ? note : `${note} **${fault}**`;
  const cells = [
    workload,
    value === null
      ? '–'
      : `${unit === 'transactions' ? value.toLocaleString('en') : figure(value)}${unitText(unit)}`,
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

/** Three significant digits. */
export function figure(value: number): string {
  const digits = Math.abs(value) >= 100 ? 0 : Math.abs(value) >= 10 ? 1 : 2;
  return value.toFixed(digits);
}
