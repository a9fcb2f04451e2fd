import { createHash } from 'node:crypto';
import type { SqlFunction } from '../src/storage/functions.js';

/** The records of the SQL functions in `src/storage/functions/releases.json`, by name. */
export type Releases = Readonly<Record<string, Release>>;

export interface Release {
  readonly release: number;
  /** Parameters and return type. */
  readonly signature: string;
  /** SHA-256 of the body. */
  readonly body: string;
}

/** The record of a function. Comments and white space are ignored. */
export function releaseOf({ name, release, definition }: SqlFunction): Release {
  const code = definition
    .replaceAll(/--.*$/gm, '')
    .replaceAll(/\s+/g, ' ')
    .trim()
    .replace(`CREATE OR REPLACE FUNCTION ${name}`, '');
  const [signature = '', ...body] = code.split(' LANGUAGE ');
  return { release, signature, body: createHash('sha256').update(body.join(' LANGUAGE ')).digest('hex') };
}

/** The records of the current functions, and of those whose file was removed: databases remember these, too. */
export function recordOf(recorded: Releases, functions: readonly SqlFunction[]): Releases {
  const current = Object.fromEntries(functions.map((each) => [each.name, releaseOf(each)]));
  return Object.fromEntries(Object.entries({ ...recorded, ...current }).sort(([a], [b]) => (a < b ? -1 : 1)));
}

/** Changes that databases would not apply, one line each. */
export function findForgottenReleases(recorded: Releases, functions: readonly SqlFunction[]): string[] {
  return functions.flatMap((each) => {
    const [before, now] = [recorded[each.name], releaseOf(each)];
    if (!before) return [];
    if (now.signature !== before.signature)
      return [
        `${each.name}: the signature has changed. Give the new function a new name, and keep the old one.`,
      ];
    if (now.release < before.release)
      return [
        `${each.name}: release ${now.release} is lower than ${before.release}, which databases may have.`,
      ];
    if (now.body !== before.body && now.release === before.release)
      return [`${each.name}: the body has changed. Raise its release to ${before.release + 1}.`];
    return [];
  });
}
