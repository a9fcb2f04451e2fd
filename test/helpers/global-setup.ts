import type { TestProject } from 'vitest/node';
import { onNpmGone } from '../../src/bin/process.js';
import { compile } from './compile.js';
import { startPostgres } from './postgres-server.js';
import { startRedis } from './redis-server.js';
import { stopAll } from './stopping.js';
import { clearAfterExit } from './temporary-folder.js';

/**
 * Starts a private Postgres and Redis for this run, and installs Redis if there is none. Both projects call this in turn: the
 * first call starts the servers for both projects, and stops them in the end.
 */
export default async function setup({ vitest }: TestProject): Promise<(() => Promise<void>) | undefined> {
  if ('redisUrl' in vitest.getRootProject().getProvidedContext()) return undefined;
  onNpmGone(() => process.kill(process.pid, 'SIGTERM'));
  // Vitest removes its own folders in the end, but not if it is interrupted.
  for (const project of [vitest.getRootProject(), ...vitest.projects]) clearAfterExit(project.tmpDir);
  try {
    await compile();
    const redis = await startRedis();
    vitest.provide('redisUrl', redis.url);
    // Provided values are sent to other processes, so they must be plain data.
    const { socketHost, tcpHost, port, username } = await startPostgres();
    vitest.provide('postgres', { socketHost, tcpHost, port, username });
  } catch (error) {
    await stopAll();
    throw error;
  }
  return stopAll;
}
