import { execFile } from 'node:child_process';
import { copyFileSync, mkdirSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { transformAsync } from '@babel/core';
import { codeBlocks } from '../code-blocks.js';

const require = createRequire(import.meta.url);
const SCHEMA = fileURLToPath(new URL('../../../schema/schema.graphql', import.meta.url));

export const usesRelay = (code: string): boolean => code.includes("from 'react-relay'");

/**
 * Writes the code to `Chat.tsx` of this folder, and runs the compiler with the configuration of the page.
 *
 * @returns the code with the documents replaced by what the compiler made of them.
 */
export async function compileRelay(folder: string, code: string): Promise<string> {
  const [config] = codeBlocks('docs/clients/relay.md', 'json');
  if (config === undefined)
    throw new Error('docs/clients/relay.md must have the configuration of relay-compiler.');
  mkdirSync(folder, { recursive: true });
  const file = join(folder, 'Chat.tsx');
  writeFileSync(file, code);
  writeFileSync(join(folder, 'relay.config.json'), config);
  copyFileSync(SCHEMA, join(folder, 'schema.graphql'));
  await promisify(execFile)(require('relay-compiler'), ['relay.config.json'], { cwd: folder });
  const result = await transformAsync(code, {
    babelrc: false,
    configFile: false,
    filename: file,
    parserOpts: { plugins: ['typescript', 'jsx'] },
    plugins: [[require('babel-plugin-relay'), { eagerEsModules: true }]],
  });
  return result?.code ?? '';
}
