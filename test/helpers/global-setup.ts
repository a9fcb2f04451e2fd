import { execFile } from 'node:child_process';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import type { TestProject } from 'vitest/node';
import { onNpmGone } from '../../src/npm.js';
import { startPostgres } from './postgres-server.js';
import { startRedis } from './redis-server.js';
import { stopAll } from './stopping.js';
import { clearAfterExit } from './temporary-folder.js';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));

const run = promisify(execFile);

/** Tests of the real process run `dist/main.js`: compiled here once, so that they never meet an old one. */
async function compile(): Promise<void> {
  const typescript = dirname(createRequire(import.meta.url).resolve('typescript/package.json'));
  const tsc = join(typescript, 'bin', 'tsc');
  try {
    await run(process.execPath, [tsc, '-p', 'tsconfig.build.json'], { cwd: ROOT });
  } catch (error) {
    const output = error instanceof Error && 'stdout' in error ? error.stdout : '';
    throw new Error(`The product does not compile:\n${output || error}`);
  }
}

/**
 * Starts a Postgres and a Redis of this run's own, whatever else there is on the machine, and installs Redis where
 * there is none. Both projects call this, one after the other; the first one starts, provides for all, and stops
 * in the end.
 */
export default async function setup({ vitest }: TestProject): Promise<(() => Promise<void>) | undefined> {
  if ('redisUrl' in vitest.getRootProject().getProvidedContext()) return undefined;
  onNpmGone(() => process.kill(process.pid, 'SIGTERM'));
  // Vitest's own folders: it removes them in the end, but not when it is interrupted.
  for (const project of [vitest.getRootProject(), ...vitest.projects]) clearAfterExit(project.tmpDir);
  try {
    await compile();
    const redis = await startRedis();
    vitest.provide('redisUrl', redis.url);
    const { socketHost, port, username } = await startPostgres();
    vitest.provide('postgres', { socketHost, tcpHost: '127.0.0.1', port, username });
  } catch (error) {
    await stopAll();
    throw error;
  }
  return stopAll;
}
