/**
 * Writes the schema from the code: as SDL, and as the files that client caches need. With `--check`, fails if a file differs
 * from the code.
 */
import { readFile, writeFile } from 'node:fs/promises';
import { schema } from '../src/graphql/schema/index.js';
import { schemaFiles } from './schema-files.js';

const check = process.argv.includes('--check');
for (const [name, content] of Object.entries(schemaFiles(schema))) {
  const file = new URL(`../schema/${name}`, import.meta.url);
  if (!check) await writeFile(file, content);
  else if ((await readFile(file, 'utf8').catch(() => '')) !== content) {
    console.error(`schema/${name} is out of date: run \`npm run generate\` and review the changes.`);
    process.exitCode = 1;
  }
}
