import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { chown, mkdtemp, open, readFile, realpath, rename, rm, stat, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { messageOf } from '../lib/error-message.js';
import { StartupError } from '../startup-error.js';
import type { Account, Placement } from './account.js';
import type { Binaries } from './binaries.js';
import { removeLeftovers } from './leftovers.js';

/** The superuser of every embedded cluster, and its only role. */
export const SUPERUSER = 'parley';

/** Stored inside the cluster, so that neither exists without the other. */
const PASSWORD_FILE = 'parley.password';

const TEMPORARY_PREFIX = 'postgres.new-';

/**
 * Creates the cluster if it does not exist, and returns its real path. It is created under a temporary name and renamed, so
 * that a kill cannot leave an incomplete one, and only one of two concurrent processes succeeds.
 *
 * @throws StartupError if initdb fails, another folder is in its place, or another major version has written the data.
 */
export async function ensureCluster(
  placement: Placement,
  binaries: Binaries,
  majorVersion: number,
): Promise<string> {
  const cluster = join(placement.folder, 'postgres');
  await removeLeftovers(placement.folder, TEMPORARY_PREFIX);
  if (!(await isCluster(cluster))) await createCluster(cluster, placement, binaries);
  await refuseOtherVersion(cluster, majorVersion);
  return realpath(cluster);
}

/** Reads the superuser's password; undefined if the socket folder's permissions take its place. */
export async function readPassword(cluster: string): Promise<string | undefined> {
  return readFile(join(cluster, PASSWORD_FILE), 'utf8').catch(() => undefined);
}

/** Options to run a Postgres program as the account, from a folder that every account may read. */
export function runAs(account: Account | undefined): {
  cwd?: string;
  env: NodeJS.ProcessEnv;
  uid?: number;
  gid?: number;
  windowsHide: true;
} {
  // Programs on Windows need much of the environment. Elsewhere Postgres gets neither our secrets nor any PG* variables.
  if (process.platform === 'win32') return { env: process.env, windowsHide: true };
  return { cwd: '/', env: { PATH: '/usr/bin:/bin', LC_ALL: 'C', TZ: 'UTC' }, ...account, windowsHide: true };
}

async function createCluster(cluster: string, placement: Placement, binaries: Binaries): Promise<void> {
  const temporary = await mkdtemp(join(placement.folder, `${TEMPORARY_PREFIX}${process.pid}-`));
  try {
    if (placement.account !== undefined) {
      await chown(temporary, placement.account.uid, placement.account.gid);
    }
    const created = join(temporary, 'cluster');
    if (process.platform === 'win32')
      await initdbWithPassword(created, join(temporary, PASSWORD_FILE), binaries);
    else await initdb(created, ['--auth-local=trust', '--auth-host=reject'], placement.account, binaries);
    await renameUnlessCreated(created, cluster);
  } finally {
    await rm(temporary, { recursive: true, force: true, maxRetries: 3 });
  }
}

/** On Windows no socket folder keeps other users out, so the server listens on loopback and requires a password. */
async function initdbWithPassword(cluster: string, file: string, binaries: Binaries): Promise<void> {
  await writeFile(file, randomBytes(24).toString('base64url'), { mode: 0o600 });
  await initdb(cluster, ['--auth=scram-sha-256', `--pwfile=${file}`], undefined, binaries);
  await rename(file, join(cluster, PASSWORD_FILE));
}

/** The builtin locale sorts identically on every machine; the order of a system locale may change with an upgrade. */
async function initdb(
  cluster: string,
  auth: string[],
  account: Account | undefined,
  binaries: Binaries,
): Promise<void> {
  const locale = ['--encoding=UTF8', '--locale-provider=builtin', '--builtin-locale=C.UTF-8'];
  const args = ['-D', cluster, `--username=${SUPERUSER}`, ...locale, ...auth];
  try {
    await promisify(execFile)(binaries.initdb, args, runAs(account));
  } catch (error) {
    throw new StartupError(`Postgres could not create its data folder: ${reasonIn(error)}`);
  }
}

/** The error that initdb reports, or why it could not run. ENOENT for a program that exists means its loader is missing. */
function reasonIn(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const stderr = 'stderr' in error ? String(error.stderr).trim() : '';
  if (stderr !== '') return stderr.split('\n').find((line) => line.includes('error:')) ?? stderr;
  const isForeign = 'code' in error && error.code === 'ENOENT';
  return isForeign ? 'its binaries do not run on this system. Set DATABASE_URL instead.' : error.message;
}

async function renameUnlessCreated(from: string, to: string): Promise<void> {
  try {
    await rename(from, to);
    await syncFolder(dirname(to));
  } catch (error) {
    if (await isCluster(to)) return;
    throw new StartupError(
      `${to} is not a Postgres data folder, and cannot be replaced by one (${messageOf(error)}): move it away, or set DATA_DIR to another folder.`,
    );
  }
}

/** initdb syncs its files, but a power cut could still undo the rename. Windows neither can nor needs to sync a folder. */
async function syncFolder(path: string): Promise<void> {
  if (process.platform === 'win32') return;
  const folder = await open(path);
  await folder.sync().finally(() => folder.close());
}

/** A major version of Postgres does not read the files of another one. */
async function refuseOtherVersion(cluster: string, majorVersion: number): Promise<void> {
  const written = Number((await readFile(join(cluster, 'PG_VERSION'), 'utf8')).trim());
  if (written === majorVersion) return;
  throw new StartupError(
    `The data in ${cluster} was written by Postgres ${written}, and this release of Parley contains Postgres ${majorVersion}: start the release that wrote it, copy the data as docs/operations.md says ("The embedded database"), or move the folder away to begin with an empty database.`,
  );
}

async function isCluster(folder: string): Promise<boolean> {
  return stat(join(folder, 'PG_VERSION')).then(
    () => true,
    () => false,
  );
}
