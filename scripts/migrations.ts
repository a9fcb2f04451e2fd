/** Fails if the tables in the code have changed without a migration. Writes nothing to the repository. */
import { execFileSync } from 'node:child_process';
import { cp, mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const folder = await mkdtemp(join(tmpdir(), 'parley-migrations-'));
try {
  const before = await readdir(join(root, 'drizzle'));
  await cp(join(root, 'drizzle'), folder, { recursive: true });
  const drizzleKit = join(root, 'node_modules/drizzle-kit/bin.cjs');
  // drizzle-kit resolves every path relative to its working folder.
  const options = ['--schema', 'src/storage/tables.ts', '--out', relative(root, folder)];
  const output = execFileSync(
    process.execPath,
    [drizzleKit, 'generate', '--dialect', 'postgresql', ...options],
    {
      cwd: root,
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'pipe'],
    },
  );
  const added = (await readdir(folder)).filter((name) => !before.includes(name));
  if (added.length > 0) {
    console.error('The tables have changed without a migration: run `npm run generate` and review it.');
    process.exitCode = 1;
  } else if (!output.includes('No schema changes'))
    throw new Error(`Unexpected output of drizzle-kit:\n${output}`);
} finally {
  await rm(folder, { recursive: true, force: true });
}
