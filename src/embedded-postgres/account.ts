import { createHash } from 'node:crypto';
import { chmod, mkdir, realpath, stat } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { StartupError } from '../startup-error.js';

/** An account to run Postgres as. */
export interface Account {
  readonly uid: number;
  readonly gid: number;
}

/** Where the data goes, and who owns it. */
export interface Placement {
  /** The absolute form of the DATA_DIR setting; the server's log is here. */
  readonly asked: string;
  /** The folder that holds the cluster; another one than `asked` only when run as root. */
  readonly folder: string;
  /** Whom Postgres runs as; undefined for ourselves, which is always so unless we are root. */
  readonly account: Account | undefined;
}

/** Where root keeps what `nobody` has to reach. */
export const rootFolder = '/var/lib/parley';

/** Postgres refuses to run as root, and initdb refuses a uid without an account; this one always exists. */
const nobody: Account = { uid: 65534, gid: 65534 };

/**
 * Makes the data folder and says where the cluster belongs. Root's cluster runs as `nobody`, and so lives
 * elsewhere when `nobody` can't get to the data folder. A cluster that exists is never passed over for a new
 * one: that would look like lost data.
 *
 * @throws StartupError when a cluster is there that can't be used by this user
 */
export async function choosePlacement(dataDir: string): Promise<Placement> {
  const asked = resolve(dataDir);
  const root = process.getuid?.() === 0;
  if (root) await makeFolder(asked);
  else await mkdir(asked, { recursive: true });
  const owner = await ownerOf(join(asked, 'postgres'));
  if (!root) {
    refuseForeignCluster(asked, owner);
    return { asked, folder: asked, account: undefined };
  }
  if (process.platform !== 'linux') {
    throw new StartupError(
      'Postgres does not run as root: start Parley as another user, or set DATABASE_URL',
    );
  }
  // Whoever ran Parley on this folder before root did keeps the data, and can run it again.
  const account = owner === undefined || owner.uid === 0 ? nobody : owner;
  const away = awayFolder(asked);
  const blocked = await firstClosedFolder(asked, account);
  if (
    blocked === undefined &&
    (owner !== undefined || (await ownerOf(join(away, 'postgres'))) === undefined)
  ) {
    return { asked, folder: asked, account };
  }
  if (owner !== undefined) {
    throw new StartupError(`The data in ${asked} is out of reach: uid ${account.uid} can't enter ${blocked}`);
  }
  await makeFolder(away);
  return { asked, folder: away, account: nobody };
}

/**
 * The outermost folder on the way to `path`, itself included, that the account may not enter; undefined when
 * it may enter all. Judged by mode bits alone.
 */
export async function firstClosedFolder(path: string, account: Account): Promise<string | undefined> {
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

/** Makes a folder with its parents, open to be traversed whatever the umask; what exists keeps its mode. */
export async function makeFolder(path: string): Promise<void> {
  const first = await mkdir(path, { recursive: true });
  if (first === undefined) return;
  for (let folder = path; folder.length >= first.length; folder = dirname(folder)) {
    await chmod(folder, 0o755);
  }
}

/** One folder for each data folder that was asked for. */
function awayFolder(asked: string): string {
  return join(rootFolder, createHash('sha256').update(asked).digest('hex').slice(0, 12));
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

function refuseForeignCluster(asked: string, owner: Account | undefined): void {
  const uid = process.getuid?.();
  if (uid === undefined || owner === undefined || owner.uid === uid) return;
  throw new StartupError(
    `The data in ${asked} belongs to uid ${owner.uid}: start Parley as that user (or as root, if it was), or set DATA_DIR`,
  );
}
