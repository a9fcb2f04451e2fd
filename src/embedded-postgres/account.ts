import { createHash } from 'node:crypto';
import { chmod, mkdir, realpath, stat } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { StartupError } from '../startup-error.js';

/** The account that Postgres runs as. */
export interface Account {
  readonly uid: number;
  readonly gid: number;
}

/** The location of the data, and the account that owns it. */
export interface Placement {
  /** Absolute path of the DATA_DIR setting. */
  readonly requested: string;
  /** Folder that holds the cluster; differs from `requested` only if run as root. */
  readonly folder: string;
  /** The server's log, in the requested folder. */
  readonly logFile: string;
  /** Account of the Postgres processes; undefined for that of this process, which is the case unless it is root's. */
  readonly account: Account | undefined;
}

/** Folder for data and binaries that `nobody` must be able to reach if Parley runs as root. */
export const ROOT_FOLDER = '/var/lib/parley';

/** Postgres refuses to run as root, and initdb refuses a uid without an account. The account `nobody` always exists. */
const NOBODY: Account = { uid: 65534, gid: 65534 };

/**
 * Creates the data folder and decides where the cluster belongs. Started by root, the cluster runs as `nobody`, and is
 * stored elsewhere if `nobody` cannot enter the data folder. An existing cluster is never ignored in favor of a new one,
 * which would look like lost data.
 *
 * @throws StartupError if this user cannot use the cluster that exists.
 */
export async function choosePlacement(dataDir: string): Promise<Placement> {
  const requested = resolve(dataDir);
  const logFile = join(requested, 'postgres.log');
  const isRoot = process.getuid?.() === 0;
  if (isRoot) await createFolder(requested);
  else await mkdir(requested, { recursive: true });
  const owner = await ownerOf(join(requested, 'postgres'));
  if (!isRoot) {
    assertOwnCluster(requested, owner);
    return { requested, folder: requested, logFile, account: undefined };
  }
  if (process.platform !== 'linux') {
    throw new StartupError(
      'Postgres does not run as root: start Parley as another user, or set DATABASE_URL.',
    );
  }
  // A user who ran Parley on this folder before remains the owner of the data, and can run it again.
  const account = owner === undefined || owner.uid === 0 ? NOBODY : owner;
  const fallback = fallbackFolder(requested);
  const inaccessible = await firstInaccessibleFolder(requested, account);
  if (
    inaccessible === undefined &&
    (owner !== undefined || (await ownerOf(join(fallback, 'postgres'))) === undefined)
  ) {
    return { requested, folder: requested, logFile, account };
  }
  if (owner !== undefined) {
    throw new StartupError(
      `The data in ${requested} is inaccessible: uid ${account.uid} cannot enter ${inaccessible}. Grant it execute permission on that folder.`,
    );
  }
  await createFolder(fallback);
  return { requested, folder: fallback, logFile, account: NOBODY };
}

/**
 * Finds the outermost folder of `path`, itself included, that the account may not enter; undefined if it may enter all.
 * Considers only the mode bits, not access control lists.
 */
export async function firstInaccessibleFolder(path: string, account: Account): Promise<string | undefined> {
  const folders: string[] = [];
  for (let folder = await realpath(path); folders.at(-1) !== folder; folder = dirname(folder)) {
    folders.push(folder);
  }
  for (const folder of folders.reverse()) {
    if (!(await mayEnter(folder, account))) return folder;
  }
  return undefined;
}

async function mayEnter(folder: string, account: Account): Promise<boolean> {
  const { mode, uid, gid } = await stat(folder);
  if (uid === account.uid) return (mode & 0o100) !== 0;
  if (gid === account.gid) return (mode & 0o010) !== 0;
  return (mode & 0o001) !== 0;
}

/** Creates a folder and its parents so that every account may enter them, whatever the umask. Existing ones keep their mode. */
export async function createFolder(path: string): Promise<void> {
  const first = await mkdir(path, { recursive: true });
  if (first === undefined) return;
  for (let folder = path; folder.length >= first.length; folder = dirname(folder)) {
    await chmod(folder, 0o755);
  }
}

/** The folder in `ROOT_FOLDER` that stands in for a data folder which `nobody` cannot enter. */
function fallbackFolder(requested: string): string {
  return join(ROOT_FOLDER, createHash('sha256').update(requested).digest('hex').slice(0, 12));
}

async function ownerOf(path: string): Promise<Account | undefined> {
  try {
    const { uid, gid } = await stat(path);
    return { uid, gid };
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
    throw error;
  }
}

function assertOwnCluster(requested: string, owner: Account | undefined): void {
  const uid = process.getuid?.();
  if (uid === undefined || owner === undefined || owner.uid === uid) return;
  throw new StartupError(
    `The data in ${requested} belongs to uid ${owner.uid}: start Parley as that user, or as root if it was started as root before, or set DATA_DIR to another folder.`,
  );
}
