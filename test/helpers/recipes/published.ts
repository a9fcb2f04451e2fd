import { readdirSync, readFileSync } from 'node:fs';
import { codeBlockWith } from '../code-blocks.js';

const root = new URL('../../../', import.meta.url);

/** What the reader of a recipe supplies, for TypeScript: the block of docs/clients.md. */
export const RECIPE_GLOBALS = codeBlockWith('docs/clients.md', 'declare function currentToken');

/** A code block of the documentation that runs as it stands. Only the address of the server is replaced. */
export interface Recipe {
  /** The page and the section that it stands in. */
  readonly name: string;
  readonly language: 'ts' | 'tsx';
  readonly code: string;
  /** Whether it shows a whole room, with pages of the history and own messages. */
  readonly isComplete: boolean;
}

/** The graphql-ws client of the README, which shows new messages only. */
export const readmeRecipe: Recipe = {
  name: 'README',
  language: 'ts',
  code: codeBlockWith('README.md', 'createClient'),
  isComplete: false,
};

/** Every TypeScript block below docs/clients. */
export const completeRecipes: readonly Recipe[] = readdirSync(new URL('docs/clients', root))
  .sort()
  .flatMap((file) => recipesOf(file));

function recipesOf(file: string): Recipe[] {
  const page = readFileSync(new URL(`docs/clients/${file}`, root), 'utf8');
  const parts = page.matchAll(/^## (.+)$|^```(tsx?)\n([\s\S]*?)^```$/gm);
  let section = '';
  return [...parts].flatMap(([, heading, language, code = '']) => {
    if (heading !== undefined) section = `: ${heading}`;
    if (language !== 'ts' && language !== 'tsx') return [];
    return [{ name: `${file.replace('.md', '')}${section}`, language, code, isComplete: true }];
  });
}

/** The complete recipe of this name. */
export function recipe(name: string): Recipe {
  const found = completeRecipes.find((each) => each.name === name);
  if (!found) throw new Error(`The documentation has no recipe ${name}.`);
  return found;
}
