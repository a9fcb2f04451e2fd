/**
 * Records the releases of the SQL functions in `src/storage/functions/releases.json`; with `--check`, only compares.
 * Both fail if a function has changed without a new release.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { isDeepStrictEqual } from 'node:util';
import { readFunctions } from '../src/storage/functions.js';
import { findForgottenReleases, type Releases, recordOf } from './function-releases.js';

const file = new URL('../src/storage/functions/releases.json', import.meta.url);
const recorded: Releases = JSON.parse(readFileSync(file, 'utf8'));
const functions = await readFunctions();
const record = recordOf(recorded, functions);
const problems = findForgottenReleases(recorded, functions);
if (problems.length > 0) fail(problems.join('\n'));
else if (!process.argv.includes('--check')) writeFileSync(file, `${JSON.stringify(record, null, 2)}\n`);
else if (!isDeepStrictEqual(record, recorded)) fail('A release is not recorded: run `npm run generate`.');

function fail(message: string): void {
  console.error(message);
  process.exitCode = 1;
}
