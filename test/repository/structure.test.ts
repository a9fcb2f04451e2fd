import { readdirSync, readFileSync } from 'node:fs';
import { posix } from 'node:path';
import { expect, test } from 'vitest';

/** Hand-written sources by their path below the repository root. */
type Sources = ReadonlyMap<string, string>;

const MAX_LINES = 250;
const MAX_FILES_PER_FOLDER = 14;

const root = new URL('../../', import.meta.url);
const SOURCE = /\.(ts|tsx|js|mjs|css|html|sql)$/;
/** Installed packages (of the peers in bench) and the output of code generators. */
const NOT_HAND_WRITTEN = ['node_modules', 'generated'];

function sourcesBelow(folder: string): [string, string][] {
  return readdirSync(new URL(`${folder}/`, root), { withFileTypes: true }).flatMap((entry) => {
    const path = posix.join(folder, entry.name);
    if (entry.isDirectory()) return NOT_HAND_WRITTEN.includes(entry.name) ? [] : sourcesBelow(path);
    return SOURCE.test(entry.name) ? [[path, readFileSync(new URL(path, root), 'utf8')]] : [];
  });
}

function longFiles(files: Sources): string[] {
  return [...files].flatMap(([path, source]) => {
    const lines = source.split('\n').length - (source.endsWith('\n') ? 1 : 0);
    return lines > MAX_LINES ? [`${path} has ${lines} lines`] : [];
  });
}

/** Folders of src/ with too many files; files in their subfolders do not count. */
function fullFolders(files: Sources): string[] {
  const counts = new Map<string, number>();
  for (const path of files.keys()) {
    const folder = posix.dirname(path);
    if (folder.split('/')[0] === 'src') counts.set(folder, (counts.get(folder) ?? 0) + 1);
  }
  return [...counts].flatMap(([folder, count]) =>
    count > MAX_FILES_PER_FOLDER ? [`${folder} has ${count} files`] : [],
  );
}

/** Declared constants that are not named by the usual MAX_, MIN_, _TIMEOUT_ or _INTERVAL_. */
function unusualConstants(files: Sources): string[] {
  const declaration =
    /\b(?:const|let|static|readonly)\s+((?:MOST|LARGEST|LONGEST|LEAST|FEW)_\w+|(?:[A-Z0-9]+_)*(?:PATIENCE|ROUND)(?:_\w+)?\b)/g;
  return [...files].flatMap(([path, source]) =>
    [...source.matchAll(declaration)].map(([, name]) => `${path} declares ${name}`),
  );
}

const sources: Sources = new Map(['src', 'bench', 'scripts'].flatMap(sourcesBelow));

test('no hand-written file is longer than 250 lines', () => {
  expect(sources.size).toBeGreaterThan(100);
  expect(longFiles(sources)).toEqual([]);
});

test('no folder of src has more than 14 files', () => {
  expect(fullFolders(sources)).toEqual([]);
});

test('constants with a bound are named MAX_, MIN_, _TIMEOUT_ or _INTERVAL_', () => {
  expect(unusualConstants(sources)).toEqual([]);
});

test.each([
  ['an empty file', '', 0],
  ['250 lines', 'x\n'.repeat(250), 0],
  ['250 lines without a final newline', `${'x\n'.repeat(249)}x`, 0],
  ['251 lines', 'x\n'.repeat(251), 1],
  ['251 lines without a final newline', `${'x\n'.repeat(250)}x`, 1],
])('the check of lengths: %s', (_case, source, count) => {
  for (const path of ['src/a.ts', 'bench/a.mjs', 'scripts/a.ts'])
    expect(longFiles(new Map([[path, source]]))).toHaveLength(count);
});

const filesIn = (folder: string, count: number) =>
  Array.from({ length: count }, (_, index) => [`${folder}/${index}.ts`, ''] as const);

test.each([
  ['14 files', filesIn('src/bus', 14), []],
  ['15 files', filesIn('src/bus', 15), ['src/bus has 15 files']],
  ['15 files directly in src', filesIn('src', 15), ['src has 15 files']],
  ['15 files in a subfolder', filesIn('src/a/b', 15), ['src/a/b has 15 files']],
  ['15 files in two folders', [...filesIn('src/a', 14), ...filesIn('src/a/b', 1)], []],
  ['15 files outside of src', filesIn('bench/load', 15), []],
])('the check of folders: %s', (_case, files, found) => {
  expect(fullFolders(new Map(files))).toEqual(found);
});

test.each([
  ['const MOST_BYTES = 1;', 'MOST_BYTES'],
  ['export const LARGEST_PAGE = 100;', 'LARGEST_PAGE'],
  ['  static readonly LONGEST_WAIT_MS = 1;', 'LONGEST_WAIT_MS'],
  ['let LEAST_SIZE: number;', 'LEAST_SIZE'],
  ['const FEW_ROWS: number = 3;', 'FEW_ROWS'],
  ['const PATIENCE_MS = 1;', 'PATIENCE_MS'],
  ['const START_PATIENCE_MS = 1;', 'START_PATIENCE_MS'],
  ['const TICK_ROUND = 1;', 'TICK_ROUND'],
  ['const MAX_BYTES = 1;', null],
  ['const UTMOST_BYTES = 1;', null],
  ['const ROUNDS = 3;', null],
  ['const BACKGROUND = 1;', null],
  ['const almost_MOST_ = 1;', null],
  ['// LARGEST_PAGE was its name', null],
])('the check of constants: %s', (source, name) => {
  const found = name === null ? [] : [`src/a.ts declares ${name}`];
  expect(unusualConstants(new Map([['src/a.ts', source]]))).toEqual(found);
});
