import type { TestProject } from 'vitest/node';
import { onNpmGone } from '../../src/bin/process.js';
import { compile } from './compile.js';
import { startPostgres } from './postgres-server.js';
import { startRedis } from './redis-server.js';
import { stopAll } from './stopping.js';
import { clearAfterExit } from './temporary-folder.js';

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
    // What is provided goes to other processes, so it must be plain data.
    const { socketHost, tcpHost, port, username } = await startPostgres();
    vitest.provide('postgres', { socketHost, tcpHost, port, username });
  } catch (error) {
    await stopAll();
    throw error;
  }
  return stopAll;
}
