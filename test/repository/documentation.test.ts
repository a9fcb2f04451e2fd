import { readdirSync, readFileSync } from 'node:fs';
import { buildSchema, GraphQLError, parse, print, validate, visit } from 'graphql';
import { expect, test } from 'vitest';
import { settingNames } from '../../src/config/index.js';
import { codeBlocks } from '../helpers/code-blocks.js';

const root = new URL('../../', import.meta.url);
const read = (path: string) => readFileSync(new URL(path, root), 'utf8');
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

const schema = buildSchema(read('schema/schema.graphql'));

/** Why a client could not send the block as a document; empty if it could. */
function mistakesIn(block: string): string[] {
  try {
    return validate(schema, parse(block)).map(({ message }) => message);
  } catch (error) {
    // `parse` throws syntax errors.
    if (error instanceof GraphQLError) return [error.message];
    throw error;
  }
}

const pages = ['README.md', ...readdirSync(new URL('docs/', root)).map((name) => `docs/${name}`)];
const examples = pages
  .filter((path) => path.endsWith('.md'))
  .flatMap((path) => codeBlocks(path, 'graphql').map((block) => ({ path, block })));

test('every GraphQL example of the README and of docs/ is valid', () => {
  const withExamples = new Set(examples.map(({ path }) => path));

  expect([...withExamples]).toEqual(expect.arrayContaining(['README.md', 'docs/delivery.md']));
  for (const { path, block } of examples) expect(mistakesIn(block), `${path}:\n${block}`).toEqual([]);
});

test('an invalid GraphQL example is found', () => {
  const mistakes = [
    'query { viewer { id } }\nquery { viewer { id } }',
    'query { node(id: $id) { id } }',
    'query { viewer { nickname } }',
    'query { viewer { id }',
  ];
  for (const block of mistakes) expect(mistakesIn(block), block).not.toEqual([]);
  expect(mistakesIn('query One { viewer { id } }\nquery Two { viewer { id } }')).toEqual([]);
});

/** The selections of `viewer` in a document that lack `user { id }`, with which clients recognize their own messages. */
function viewersWithoutUser(document: string): number {
  let count = 0;
  visit(parse(document), {
    Field({ name, selectionSet }) {
      if (name.value !== 'viewer') return;
      if (!/\buser \{\s*id\b/.test(selectionSet ? print(selectionSet) : '')) count += 1;
    },
  });
  return count;
}

test("every example that selects the viewer also selects the id of the viewer's messages", () => {
  const operations = readdirSync(new URL('schema/operations/', root)).map(
    (name) => `schema/operations/${name}`,
  );
  const documents = [...examples, ...operations.map((path) => ({ path, block: read(path) }))];
  expect(documents.some(({ block }) => block.includes('viewer {'))).toBe(true);
  for (const { path, block } of documents) expect(viewersWithoutUser(block), path).toBe(0);
  expect(viewersWithoutUser('{ viewer { id } }')).toBe(1);
  expect(viewersWithoutUser('{ viewer { id user { id } } }')).toBe(0);
});
