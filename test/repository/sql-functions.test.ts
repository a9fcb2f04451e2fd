import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { findForgottenReleases, type Releases, recordOf } from '../../scripts/function-releases.js';
import { readFunctions, type SqlFunction } from '../../src/storage/functions.js';

const storage = new URL('../../src/storage/', import.meta.url);
const recorded: Releases = JSON.parse(readFileSync(new URL('functions/releases.json', storage), 'utf8'));

/** Built-in functions of Postgres that queries select from. */
const BUILT_IN = ['unnest', 'jsonb_to_recordset', 'pg_control_system'];

test('every SQL function that a query calls has a file', async () => {
  const sources = readdirSync(storage, { encoding: 'utf8', recursive: true })
    .filter((file) => file.endsWith('.ts'))
    .map((file) => readFileSync(new URL(file, storage), 'utf8'));
  const called = sources.flatMap((source) =>
    [...source.matchAll(/\b(?:from|join|call)\s+([a-z_]+)\(/g)].map(([, name = '']) => name),
  );
  const names = (await readFunctions()).map(({ name }) => name);
  const ours = new Set(called.filter((name) => !BUILT_IN.includes(name)));
  expect(ours).toContain('send_messages');
  expect(names).toEqual(expect.arrayContaining([...ours]));
});

test('every release is recorded, and no body or signature has changed since', async () => {
  const functions = await readFunctions();
  expect(findForgottenReleases(recorded, functions)).toEqual([]);
  expect(recordOf(recorded, functions)).toEqual(recorded);
});

test('a body that changed under the same release is found, and comments and white space are ignored', () => {
  const before = sqlFunction(2, 'BEGIN RETURN 1; END');
  const record = recordOf({}, [before]);
  expect(findForgottenReleases(record, [before])).toEqual([]);
  expect(findForgottenReleases(record, [sqlFunction(2, '-- One.\n  BEGIN\n RETURN 1; END')])).toEqual([]);
  expect(findForgottenReleases(record, [sqlFunction(2, 'BEGIN RETURN 2; END')])).toEqual([
    'one: the body has changed. Raise its release to 3.',
  ]);
  expect(findForgottenReleases(record, [sqlFunction(3, 'BEGIN RETURN 2; END')])).toEqual([]);
});

test('a lower release is found, even if the file was missing in between', () => {
  const record = recordOf({}, [sqlFunction(2, 'BEGIN RETURN 1; END')]);
  const again = recordOf(record, []);
  expect(again).toEqual(record);
  expect(findForgottenReleases(again, [sqlFunction(1, 'BEGIN RETURN 3; END')])).toEqual([
    'one: release 1 is lower than 2, which databases may have.',
  ]);
});

test('a changed signature is found, whatever its release', () => {
  const record = recordOf({}, [sqlFunction(1, 'BEGIN RETURN 1; END')]);
  for (const signature of ['(a bigint) RETURNS integer', '(a integer) RETURNS bigint'])
    expect(findForgottenReleases(record, [sqlFunction(2, 'BEGIN RETURN 1; END', signature)])).toEqual([
      'one: the signature has changed. Give the new function a new name, and keep the old one.',
    ]);
});

test('a file without a release in its first line is rejected', async () => {
  const { definition } = sqlFunction(1, 'BEGIN RETURN 1; END');
  for (const header of ['', '-- release: 0\n', '-- release: one\n', '\n-- release: 1\n', '-- Release: 1\n'])
    await expect(readFile('one', header + definition.replace('-- release: 1\n', ''))).rejects.toThrow(
      'one.sql must begin with the line "-- release: <number>"',
    );
  expect(await readFile('one', definition)).toEqual([{ name: 'one', release: 1, definition }]);
});

test('a file that does not define exactly one function with the name of the file is rejected', async () => {
  const { definition } = sqlFunction(1, 'BEGIN RETURN 1; END');
  const other = definition.replace('-- release: 1\n', '');
  for (const text of [definition.replace(' OR REPLACE', ''), definition + other, '-- release: 1\n'])
    await expect(readFile('one', text)).rejects.toThrow('one.sql must hold one statement');
  await expect(readFile('two', definition)).rejects.toThrow('two.sql must hold one statement');
});

function sqlFunction(release: number, body: string, signature = '(a integer) RETURNS integer'): SqlFunction {
  const definition = `-- release: ${release}\nCREATE OR REPLACE FUNCTION one${signature}\nLANGUAGE plpgsql AS $$\n${body}\n$$;\n`;
  return { name: 'one', release, definition };
}

/** Reads a folder that contains only this file. */
async function readFile(name: string, text: string): Promise<SqlFunction[]> {
  const folder = mkdtempSync(join(tmpdir(), 'parley-functions-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  writeFileSync(join(folder, `${name}.sql`), text);
  return readFunctions(folder);
}
