import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { ensureCluster, readPassword } from '../../../src/embedded-postgres/cluster.js';

/*
 * Only on Windows does the embedded Postgres have a password: its socket has no folder that keeps other users out. Other
 * systems take the same way here, with a program in the place of initdb.
 */

/** Makes the cluster's folder, and keeps what it was given as the password. */
const INITDB = `#!/bin/sh
mkdir "$2" && echo 18 > "$2/PG_VERSION"
for argument; do
  case "$argument" in --pwfile=*) cat "\${argument#--pwfile=}" > "$2/given" ;; esac
done
`;

let folder: string;
let umask: number;
const platform = Object.getOwnPropertyDescriptor(process, 'platform') ?? {};

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'parley-password-'));
  // The umask must not do what the code has to do.
  umask = process.umask(0);
  Object.defineProperty(process, 'platform', { ...platform, value: 'win32' });
});

afterEach(async () => {
  Object.defineProperty(process, 'platform', platform);
  process.umask(umask);
  await rm(folder, { recursive: true, force: true });
});

test('the password of the embedded Postgres is random, and readable by its owner only', async () => {
  const initdb = join(folder, 'initdb');
  await writeFile(initdb, INITDB, { mode: 0o755 });
  const placement = { requested: folder, folder, logFile: join(folder, 'postgres.log'), account: undefined };
  const binaries = { initdb, pgCtl: 'unused', postgres: 'unused' };
  const cluster = await ensureCluster(placement, binaries, 18);

  expect((await stat(join(cluster, 'parley.password'))).mode & 0o777).toBe(0o600);
  const password = await readPassword(cluster);
  expect(password).toMatch(/^[\w-]{32}$/);
  expect(await readFile(join(cluster, 'given'), 'utf8')).toBe(password);
  // No copy of it is left.
  expect((await readdir(folder)).sort()).toEqual(['initdb', 'postgres']);
  await rm(cluster, { recursive: true });
  expect(await readPassword(await ensureCluster(placement, binaries, 18))).not.toBe(password);
});
