/**
 * Writes `schema/schema.graphql` from the code; with `--check`, fails where the file is not what the code says.
 */
import { readFile, writeFile } from 'node:fs/promises';
import { printSchema } from 'graphql';
import { schema } from '../src/graphql/schema/index.js';

const file = new URL('../schema/schema.graphql', import.meta.url);
const sdl = `${printSchema(schema)}\n`;

if (process.argv.includes('--check')) {
  if ((await readFile(file, 'utf8')) !== sdl) {
    console.error('schema/schema.graphql is stale: run `npm run generate` and review what changed.');
    process.exitCode = 1;
  }
} else await writeFile(file, sdl);
