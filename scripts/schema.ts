/** Writes `schema/schema.graphql` from the code. With `--check`, fails if the file differs from the code. */
import { readFile, writeFile } from 'node:fs/promises';
import { printSchema } from 'graphql';
import { schema } from '../src/graphql/schema/index.js';

const file = new URL('../schema/schema.graphql', import.meta.url);
const sdl = `${printSchema(schema)}\n`;

if (process.argv.includes('--check')) {
  if ((await readFile(file, 'utf8')) !== sdl) {
    console.error('schema/schema.graphql is out of date: run `npm run generate` and review the changes.');
    process.exitCode = 1;
  }
} else await writeFile(file, sdl);
