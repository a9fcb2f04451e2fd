import { chmod, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ensureProgram } from './debian.js';
import { freePort } from './free-port.js';
import { startProgram } from './program.js';
import { temporaryFolder } from './temporary-folder.js';

/** A PgBouncer in front of a Postgres, as Debian ships it: without prepared statements in transaction mode. */
export interface PrivatePgBouncer {
  /** The URL of the same database, through PgBouncer. */
  readonly url: string;
  stop(): Promise<void>;
}

/** Starts PgBouncer. It is stopped at the end of the test file at the latest. */
export async function startPgBouncer(
  databaseUrl: string,
  mode: 'session' | 'transaction',
): Promise<PrivatePgBouncer> {
  const binary = await ensureProgram('pgbouncer');
  const target = new URL(databaseUrl);
  const folder = temporaryFolder('pgbouncer');
  const port = await freePort();
  const file = join(folder.path, 'pgbouncer.ini');
  await writeFile(
    file,
    `[databases]
* = host=${target.hostname} port=${target.port} user=${target.username}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = ${port}
unix_socket_dir =
auth_type = any
pool_mode = ${mode}
default_pool_size = 20
`,
  );
  // Started by root, PgBouncer runs as another account.
  await Promise.all([chmod(folder.path, 0o755), chmod(file, 0o644)]);
  const account = process.getuid?.() === 0 ? ['--user', 'nobody'] : [];
  const stop = await startProgram({ binary, args: ['--quiet', ...account, file], port, folder });
  return { url: Object.assign(target, { hostname: '127.0.0.1', port: String(port) }).href, stop };
}
