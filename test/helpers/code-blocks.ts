import { readFileSync } from 'node:fs';

const root = new URL('../../', import.meta.url);

/** The code blocks in this language of a Markdown page of the repository, in their order. */
export function codeBlocks(path: string, language: string): string[] {
  const page = readFileSync(new URL(path, root), 'utf8');
  const blocks = page.matchAll(/^( *)```(\w*)\n([\s\S]*?)^\1```$/gm);
  return [...blocks].filter(([, , name]) => name === language).map(([, , , block = '']) => block);
}

/** The only TypeScript block of a page that contains this text. */
export function codeBlockWith(path: string, text: string): string {
  const [block, ...others] = codeBlocks(path, 'ts').filter((code) => code.includes(text));
  if (block === undefined || others.length > 0)
    throw new Error(`${path} must have one TypeScript block with ${JSON.stringify(text)}.`);
  return block;
}
