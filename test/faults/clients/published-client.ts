import { compileFunction } from 'node:vm';
import { transformSync } from 'esbuild';
import type { Client, ClientOptions } from 'graphql-ws';
import { codeBlockWith } from '../../helpers/code-blocks.js';
import type { MessageRef } from '../verdict/check.js';

/** What the reader of the README supplies, and the package that its code imports. */
export interface Supplies {
  readonly roomId: string;
  readonly page: { readonly liveCursor: string };
  readonly currentToken: () => Promise<string>;
  readonly show: (message: MessageRef) => void;
  readonly showError: (error: unknown) => void;
  readonly createClient: (options: ClientOptions) => Pick<Client, 'subscribe'>;
}

const NAMES = ['require', 'roomId', 'page', 'currentToken', 'show', 'showError'] as const;

const { code } = transformSync(codeBlockWith('README.md', 'createClient'), { loader: 'ts', format: 'cjs' });
const run = compileFunction(code, NAMES);

/** Runs the README's graphql-ws client as it is published. */
export function runPublishedClient({ createClient, ...supplies }: Supplies): void {
  run(
    () => ({ createClient }),
    supplies.roomId,
    supplies.page,
    supplies.currentToken,
    supplies.show,
    supplies.showError,
  );
}
