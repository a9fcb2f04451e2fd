import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { once } from '../lib/once.js';
import { StartupError } from '../startup-error.js';
import { choosePlacement, type Placement } from './account.js';
import { type Binaries, findBinaryPackage, prepareBinaries } from './binaries.js';
import { ensureCluster, readPassword, superuser } from './cluster.js';
import {
  type Connection,
  isLockHeld,
  keepOwnerLock,
  type LockKeeper,
  mayPass,
  type OwnerLock,
  takeOwnerLock,
} from './owner-lock.js';
import {
  isServing,
  type Launch,
  launchServer,
  type Postmaster,
  readPostmaster,
  removeSocketFolder,
  removeStalePidFile,
  stopServer,
} from './server.js';

export interface EmbeddedPostgresOptions {
  /** The DATA_DIR setting. The cluster lives in its subfolder `postgres`, the server's log in `postgres.log`. */
  readonly dataDir: string;
  /** Takes one line for something the operator should know. */
  readonly log: (message: string) => void;
  /** More server settings; a server that runs already, left by a crash, keeps those it has. */
  readonly settings?: Record<string, string>;
  /** Called once when the server is gone for good while it is still needed (`stop` has not been called). */
  readonly onLost?: () => void;
}

export interface EmbeddedPostgres {
  /** Options for postgres.js. */
  readonly connection: Connection;
  /** The absolute folder that holds the cluster: not the asked one if root had to put it elsewhere. */
  readonly dataFolder: string;
  /** Shuts the server down and waits until it is gone. Idempotent. */
  stop(): Promise<void>;
}

/** All that a start works with. */
interface Start {
  readonly options: EmbeddedPostgresOptions;
  readonly placement: Placement;
  readonly binaries: Binaries;
  readonly cluster: string;
}

/** A server of ours: the lock on it is held. */
interface Owned {
  readonly postmaster: Postmaster;
  readonly connection: Connection;
  readonly lock: OwnerLock;
}

/** Crash recovery may take a while. */
const START_TIMEOUT_MS = 60_000;
/** What a killed server leaves behind (backends, shared memory) is gone within moments. */
const REMAINS_TIMEOUT_MS = 5_000;
const POLL_INTERVAL_MS = 20;

/**
 * Starts the private Postgres of this data folder, or adopts the one that a crash of its owner left running.
 * It runs in a session of its own: neither Ctrl-C nor a `kill -9` of us reaches it. No signal handlers are
 * installed; the caller stops it.
 *
 * @throws StartupError when the folder is in use by another process, or Postgres can't be run
 */
export async function startEmbeddedPostgres(options: EmbeddedPostgresOptions): Promise<EmbeddedPostgres> {
  try {
    return await start(options);
  } catch (error) {
    // What the system says about a folder or a program is the operator's to mend; the rest is our mistake.
    if (!(error instanceof Error) || !('syscall' in error)) throw error;
    throw new StartupError(`The embedded Postgres could not be started: ${error.message}`);
  }
}

async function start(options: EmbeddedPostgresOptions): Promise<EmbeddedPostgres> {
  const found = await findBinaryPackage();
  const placement = await choosePlacement(options.dataDir);
  const binaries = await prepareBinaries(found, placement.account, options.log);
  const cluster = await ensureCluster(placement, binaries);
  if (placement.folder !== placement.asked) {
    options.log(
      `The data is in ${placement.folder}: Postgres does not run as root, and its user could not enter ${placement.asked}`,
    );
  }
  const begin: Start = { options, placement, binaries, cluster };
  const owned = await takeServer(begin);
  const keeper = keepServer(begin, owned);
  const stop = once(async () => {
    const lock = keeper.letGo();
    // The lock goes with the server: were it free before, a process that just starts could adopt what we stop.
    await stopServer(owned.postmaster.pid, cluster, binaries.pgCtl).finally(() => lock?.release());
    await removeSocketFolder(owned.postmaster.host);
  });
  try {
    await owned.lock.ensureDatabase(owned.connection.database);
  } catch (error) {
    await stop();
    throw new StartupError(`The embedded Postgres has no database: ${messageOf(error)}`);
  }
  return { connection: owned.connection, dataFolder: placement.folder, stop };
}

async function takeServer(begin: Start): Promise<Owned> {
  const launched: { launch?: Launch | undefined } = {};
  try {
    return await tryToTakeServer(begin, launched);
  } finally {
    const serving = await readPostmaster(begin.cluster);
    // Another process was faster: ours ends, or has ended, by itself.
    if (launched.launch?.pid !== serving?.pid) await launched.launch?.discard();
  }
}

/**
 * Tries until the lock of a live server is ours, and starts a server whenever there is none.
 *
 * @param launched what was started last, for the caller to clean up after
 */
async function tryToTakeServer(begin: Start, launched: { launch?: Launch | undefined }): Promise<Owned> {
  const { cluster, options, placement } = begin;
  const startedAt = Date.now();
  for (; Date.now() < startedAt + START_TIMEOUT_MS; await delay(POLL_INTERVAL_MS)) {
    const postmaster = await readPostmaster(cluster);
    if (postmaster?.status === 'ready') {
      const owned = await tryToOwn(begin, postmaster);
      if (owned !== undefined) {
        if (launched.launch?.pid !== postmaster.pid) {
          options.log(
            `Took over the Postgres of ${placement.folder} that was left running (${postmaster.pid})`,
          );
        }
        return owned;
      }
    }
    if (launched.launch?.running) continue;
    if (launched.launch !== undefined) {
      await discardOrRefuse(begin, launched.launch, Date.now() < startedAt + REMAINS_TIMEOUT_MS);
      launched.launch = undefined;
    }
    if (postmaster !== undefined && (await isServing(postmaster.pid, cluster))) continue;
    launched.launch = await launchInstead(begin, postmaster);
  }
  // A server that we started is left alone: it may be recovering, and the next start adopts it.
  throw new StartupError(
    `Postgres is not ready after ${START_TIMEOUT_MS / 1000} seconds; try again, or see ${logFile(placement)}`,
  );
}

/** Connects and takes the lock; undefined when there is no server now, or not one to stay. */
async function tryToOwn(begin: Start, postmaster: Postmaster): Promise<Owned | undefined> {
  const { cluster, placement } = begin;
  const password = await readPassword(cluster);
  const connection: Connection = {
    host: postmaster.host,
    port: postmaster.port,
    database: 'parley',
    username: superuser,
    ...(password === undefined ? {} : { password }),
  };
  try {
    const lock = await takeOwnerLock(connection);
    // Its owner may have let go because it shuts the server down. That is written before anyone is disconnected.
    const now = await readPostmaster(cluster);
    if (now?.pid === postmaster.pid && now.status === 'ready') return { postmaster, connection, lock };
    await lock.release();
  } catch (error) {
    if (isLockHeld(error)) {
      throw new StartupError(`The data folder ${placement.folder} is in use by another Parley process`);
    }
    if (!mayPass(error)) throw new StartupError(`Postgres in ${placement.folder}: ${messageOf(error)}`);
    const unreachable = postmaster.host.startsWith('/') && !existsSync(postmaster.host);
    if (unreachable) await stopUnreachable(begin, postmaster);
  }
  return undefined;
}

/** Without its socket's folder (a cleaner of temporary files took it) nobody will ever connect to it again. */
async function stopUnreachable({ cluster, binaries }: Start, { pid }: Postmaster): Promise<void> {
  await stopServer(pid, cluster, binaries.pgCtl).catch((error: unknown) => {
    throw new StartupError(messageOf(error));
  });
}

async function launchInstead(
  { options, placement, binaries, cluster }: Start,
  stale: Postmaster | undefined,
): Promise<Launch> {
  if (stale !== undefined) {
    removeStalePidFile(cluster, stale);
    await removeSocketFolder(stale.host);
  }
  return launchServer({
    binaries,
    cluster,
    account: placement.account,
    logFile: logFile(placement),
    settings: options.settings ?? {},
  });
}

/** A server that ended at once is no failure if another process was faster, or remains of a dead one linger. */
async function discardOrRefuse(begin: Start, launch: Launch, early: boolean): Promise<void> {
  await launch.discard();
  const reason = await launch.reason();
  if (early && /postmaster\.pid"|shared memory block/.test(reason)) return;
  throw new StartupError(`Postgres did not start in ${begin.placement.folder}: ${reason}`);
}

/** Tells the operator, and the caller, when the server goes away or comes back by itself. */
function keepServer({ options, placement, cluster }: Start, owned: Owned): LockKeeper {
  const isRunning = () => isServing(owned.postmaster.pid, cluster);
  return keepOwnerLock(owned.lock, { connection: owned.connection, isRunning }, (outcome) => {
    options.log(`Postgres in ${placement.folder} is ${outcome}; see ${logFile(placement)}`);
    if (outcome === 'gone') options.onLost?.();
  });
}

function logFile(placement: Placement): string {
  return join(placement.asked, 'postgres.log');
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
