/** Compiles `src`, including GraphiQL's page, into `dist`, and copies the SQL functions, which the compiler ignores. */
import { spawnSync } from 'node:child_process';
import { cpSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const FUNCTIONS = 'storage/functions';

const tsc = join(createRequire(import.meta.url).resolve('typescript/package.json'), '../bin/tsc');
for (const project of ['tsconfig.build.json', 'src/transport/graphiql/browser']) {
  const { status } = spawnSync(process.execPath, [tsc, '-p', project], { cwd: root, stdio: 'inherit' });
  if (status !== 0) process.exit(status ?? 1);
}
// A function whose file was removed must not be applied.
rmSync(join(root, 'dist', FUNCTIONS), { recursive: true, force: true });
cpSync(join(root, 'src', FUNCTIONS), join(root, 'dist', FUNCTIONS), { recursive: true });
