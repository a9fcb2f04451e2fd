import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));

const run = promisify(execFile);

/** Builds `dist/` as `npm run build` does, once per run, so that tests of the real process never run an old one. */
export async function compile(): Promise<void> {
  try {
    await run(process.execPath, ['--import', 'tsx', 'scripts/build.ts'], { cwd: ROOT });
  } catch (error) {
    const output = error instanceof Error && 'stdout' in error ? error.stdout : '';
    throw new Error(`The build failed:\n${output || error}`);
  }
}
