import { fileURLToPath } from 'node:url';
import { build, type Plugin } from 'esbuild';
import { temporaryFolder } from '../temporary-folder.js';
import type { Recipe } from './published.js';
import { compileRelay, usesRelay } from './relay.js';

const root = fileURLToPath(new URL('../../..', import.meta.url));
const packageSource = (path: string): string => `${root}packages/client/src/${path}`;

export type Platform = 'node' | 'browser';

/** Bundles a recipe with what it runs in. */
export async function bundleRecipe(
  { name, code, language }: Recipe,
  serverUrl: string,
  platform: Platform,
): Promise<string> {
  const contents = code.replaceAll('localhost:4000', new URL(serverUrl).host);
  if (contents === code) throw new Error(`The recipe ${name} does not connect to localhost:4000.`);
  const folder = usesRelay(contents) ? temporaryFolder('relay').path : null;
  const source = folder === null ? contents : await compileRelay(folder, contents);
  const recipe: Plugin = {
    name: 'recipe',
    setup({ onResolve, onLoad }) {
      onResolve({ filter: /^recipe$/ }, () => ({ path: `${name}.${language}`, namespace: 'recipe' }));
      onLoad({ filter: /.*/, namespace: 'recipe' }, () => ({
        contents: source,
        loader: language,
        resolveDir: folder ?? root,
      }));
    },
  };
  const environment = platform === 'node' ? 'node' : 'chromium';
  const { outputFiles } = await build({
    stdin: {
      contents: `
        import { connect } from './test/helpers/recipes/page/${environment}.ts';
        import * as recipe from 'recipe';
        connect(recipe);
      `,
      resolveDir: root,
    },
    bundle: true,
    write: false,
    format: 'esm',
    platform,
    jsx: 'automatic',
    // React warns, and doubles effects in StrictMode, in this mode only.
    jsxDev: true,
    define: { 'process.env.NODE_ENV': '"development"' },
    // `ws` requires Node's modules.
    ...(platform === 'node'
      ? { banner: { js: "import { createRequire } from 'node:module'; const require = createRequire('/');" } }
      : {}),
    alias: {
      'parley-client': packageSource('index.ts'),
      'parley-client/http': packageSource('http.ts'),
      'parley-client/apollo': packageSource('apollo/index.ts'),
      'parley-client/urql': packageSource('urql/index.ts'),
      'parley-client/react': packageSource('react/index.ts'),
    },
    plugins: [recipe],
    nodePaths: [`${root}node_modules`],
  });
  return outputFiles[0]?.text ?? '';
}
