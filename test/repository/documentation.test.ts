import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { settingNames } from '../../src/config.js';

const read = (path: string) => readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8');
const sorted = (names: readonly string[]) => [...names].sort();

test("the README's table of settings has exactly one row for each setting", () => {
  // A table is a block of lines that start with a bar; the table of the settings contains `PORT`.
  const tables = read('README.md').match(/(?:^\|.*\n)+/gm) ?? [];
  const settings = tables.filter((table) => /^\| *`PORT`/m.test(table));
  expect(settings).toHaveLength(1);
  const names = [...(settings[0] ?? '').matchAll(/^\| *`(\w+)`/gm)].map(([, name = '']) => name);
  expect(sorted(names)).toEqual(sorted(settingNames));
});

test('.env.example contains each setting exactly once', () => {
  const names = [...read('.env.example').matchAll(/^#? ?([A-Z][A-Z_]*)=/gm)].map(([, name = '']) => name);
  expect(sorted(names)).toEqual(sorted(settingNames));
});
