import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { chown, mkdtemp, open, readFile, realpath, rename, rm, stat, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { StartupError } from '../startup-error.js';
import type { Account, Placement } from './account.js';
import type { Binaries } from './binaries.js';
import { removeLeftovers } from './leftovers.js';

/** The superuser of every embedded cluster, and the only role in it. */
export const superuser = 'parley';

/** Kept in the cluster, so that one can't be there without the other. */
const passwordFile = 'parley.password';

const temporaryPrefix = 'postgres.new-';

/**
 * Makes the cluster unless it is there, and gives its real path. It is made under a temporary name and then
 * renamed, so a kill in the middle leaves no half of one, and of two processes at once one is the first.
 */
export async function ensureCluster(placement: Placement, binaries: Binaries): Promise<string> {
  const cluster = join(placement.folder, 'postgres');
  await removeLeftovers(placement.folder, temporaryPrefix);
  if (!(await isCluster(cluster))) await createCluster(cluster, placement, binaries);
  return realpath(cluster);
}

/** The superuser's password; undefined where the socket's folder keeps others out. */
export async function readPassword(cluster: string): Promise<string | undefined> {
  return readFile(join(cluster, passwordFile), 'utf8').catch(() => undefined);
}

/** How to run one of the programs: as the account, from a folder that everyone may read. */
export function runAs(account: Account | undefined): {
  cwd?: string;
  env: NodeJS.ProcessEnv;
  uid?: number;
  gid?: number;
  windowsHide: true;
} {
  // Programs on Windows need much of it; elsewhere our secrets and PG* variables are none of Postgres' business.
  if (process.platform === 'win32') return { env: process.env, windowsHide: true };
  return { cwd: '/', env: { PATH: '/usr/bin:/bin', LC_ALL: 'C', TZ: 'UTC' }, ...account, windowsHide: true };
}

async function createCluster(cluster: string, placement: Placement, binaries: Binaries): Promise<void> {
  const temporary = await mkdtemp(join(placement.folder, `${temporaryPrefix}${process.pid}-`));
  try {
    if (placement.account !== undefined) {
      await chown(temporary, placement.account.uid, placement.account.gid);
    }
    const made = join(temporary, 'cluster');
    if (process.platform === 'win32') await initdbWithPassword(made, join(temporary, passwordFile), binaries);
    else await initdb(made, ['--auth-local=trust', '--auth-host=reject'], placement.account, binaries);
    await renameUnlessThere(made, cluster);
  } finally {
    await rm(temporary, { recursive: true, force: true, maxRetries: 3 });
  }
}

/** Windows has no socket folder that keeps other users out, hence loopback with a password. */
async function initdbWithPassword(cluster: string, file: string, binaries: Binaries): Promise<void> {
  await writeFile(file, randomBytes(24).toString('base64url'), { mode: 0o600 });
  await initdb(cluster, ['--auth=scram-sha-256', `--pwfile=${file}`], undefined, binaries);
  await rename(file, join(cluster, passwordFile));
}

/** The builtin locale sorts alike on every machine; the system's may change its order with an upgrade. */
async function initdb(
  cluster: string,
  auth: string[],
  account: Account | undefined,
  binaries: Binaries,
): Promise<void> {
  const locale = ['--encoding=UTF8', '--locale-provider=builtin', '--builtin-locale=C.UTF-8'];
  const args = ['-D', cluster, `--username=${superuser}`, ...locale, ...auth];
  try {
    await promisify(execFile)(binaries.initdb, args, runAs(account));
  } catch (error) {
    throw new StartupError(`Postgres could not make its data folder: ${reasonIn(error)}`);
  }
}

/** initdb's own words, or why it could not be run. ENOENT about a file that is there is about its loader. */
function reasonIn(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const stderr = 'stderr' in error ? String(error.stderr).trim() : '';
  if (stderr !== '') return stderr.split('\n').find((line) => line.includes('error:')) ?? stderr;
  const foreign = 'code' in error && error.code === 'ENOENT';
  return foreign ? 'its binaries do not run on this system; set DATABASE_URL instead' : error.message;
}

async function renameUnlessThere(from: string, to: string): Promise<void> {
  try {
    await rename(from, to);
    await syncFolder(dirname(to));
  } catch (error) {
    if (await isCluster(to)) return;
    const reason = error instanceof Error ? error.message : String(error);
    throw new StartupError(`${to} is not a Postgres data folder, and can't become one: ${reason}`);
  }
}

/** initdb syncs what it wrote; without this, a power cut could still undo the rename. Windows can't and needn't. */
async function syncFolder(path: string): Promise<void> {
  if (process.platform === 'win32') return;
  const folder = await open(path);
  await folder.sync().finally(() => folder.close());
}

async function isCluster(folder: string): Promise<boolean> {
  return stat(join(folder, 'PG_VERSION')).then(
    () => true,
    () => false,
  );
}
