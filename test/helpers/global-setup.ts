import { execFile } from 'node:child_process';
import { chmod, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import type { TestProject } from 'vitest/node';
import { onNpmGone } from '../../src/npm.js';
import { startEmbeddedPostgres } from '../../src/storage/embedded-postgres.js';
import { freePort } from './free-port.js';
import type { ProvidedPostgres } from './provided.js';
import { startRedis } from './redis-server.js';
import { stopAll, stopInTheEnd } from './stopping.js';
import { clearAfterExit, temporaryFolder } from './temporary-folder.js';

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

/** Unlike Parley's own, this server is for the pair `cluster` too, which comes over TCP. */
const ACCESS = `local all all trust
host all all 127.0.0.1/32 trust
`;

/** The server that Parley brings along, without the care for data, since these are thrown away. */
async function startPostgres(): Promise<ProvidedPostgres> {
  const folder = temporaryFolder('postgres').path;
  const hbaFile = join(folder, 'pg_hba.conf');
  await writeFile(hbaFile, ACCESS);
  await chmod(hbaFile, 0o644); // Under root, Postgres reads it as another account, whatever our umask.
  const port = await freePort();
  const { connection, stop } = await startEmbeddedPostgres({
    dataDir: folder,
    log: () => {},
    settings: {
      listen_addresses: '127.0.0.1',
      port: String(port),
      hba_file: hbaFile,
      fsync: 'off',
      max_connections: '200',
    },
  });
  stopInTheEnd(stop);
  return { socketHost: connection.host, tcpHost: '127.0.0.1', port, username: connection.username };
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
    vitest.provide('postgres', await startPostgres());
  } catch (error) {
    await stopAll();
    throw error;
  }
  return stopAll;
}
