import { exec } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));

/** Builds `dist/` once per test run, so that tests that start the real process never start an outdated one. */
export async function compile(): Promise<void> {
  try {
    await promisify(exec)('npm run --silent build', { cwd: ROOT });
  } catch (error) {
    const output = error instanceof Error && 'stdout' in error ? error.stdout : '';
    throw new Error(`The build failed:\n${output || error}`);
  }
}
