import { existsSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { messageOf } from '../lib/error-message.js';
import { StartupError } from '../startup-error.js';
import type { Placement } from './account.js';
import type { Binaries } from './binaries.js';
import { readPassword, SUPERUSER } from './cluster.js';
import { acquireOwnerLock, type Connection, isLockHeld, isTransient, type OwnerLock } from './owner-lock.js';
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

/** Context of acquiring a server. */
export interface ServerContext {
  readonly placement: Placement;
  readonly binaries: Binaries;
  /** Real path of the cluster. */
  readonly cluster: string;
  readonly log: (message: string) => void;
  /** Additional settings for a server that is started. */
  readonly settings: Record<string, string>;
}

/** A running server whose owner lock this process holds. */
export interface OwnedServer {
  readonly postmaster: Postmaster;
  readonly connection: Connection;
  readonly lock: OwnerLock;
}

/** Long enough for crash recovery. */
const START_TIMEOUT_MS = 60_000;
/** The remains of a killed server (backends, shared memory) disappear within moments. */
const CLEANUP_TIMEOUT_MS = 5_000;
const POLL_INTERVAL_MS = 20;

/**
 * Acquires the server of the cluster: adopts the one that runs, or starts one.
 *
 * @throws StartupError if another process owns the server, or it cannot run or is not ready within 60 seconds.
 */
export async function acquireServer(context: ServerContext): Promise<OwnedServer> {
  const started: { launch?: Launch | undefined } = {};
  try {
    return await tryToAcquire(context, started);
  } finally {
    const serving = await readPostmaster(context.cluster);
    // If another process was faster, the server that this process started ends without being stopped.
    if (started.launch?.pid !== serving?.pid) await started.launch?.discard();
  }
}

/**
 * Tries until this process owns a running server, and starts one whenever none runs.
 *
 * @param started receives the last server that was started, for the caller to clean up.
 */
async function tryToAcquire(
  context: ServerContext,
  started: { launch?: Launch | undefined },
): Promise<OwnedServer> {
  const { cluster, log, placement } = context;
  const startedAt = Date.now();
  for (; Date.now() < startedAt + START_TIMEOUT_MS; await delay(POLL_INTERVAL_MS)) {
    const postmaster = await readPostmaster(cluster);
    if (postmaster?.status === 'ready') {
      const owned = await tryToOwn(context, postmaster);
      if (owned !== undefined) {
        if (started.launch?.pid !== postmaster.pid)
          log(
            `Took over the Postgres in ${placement.folder} that was left running (process ${postmaster.pid})`,
          );
        return owned;
      }
    }
    if (started.launch?.running) continue;
    if (started.launch !== undefined) {
      await discardOrThrow(context, started.launch, Date.now() < startedAt + CLEANUP_TIMEOUT_MS);
      started.launch = undefined;
    }
    if (postmaster !== undefined && (await isServing(postmaster.pid, cluster))) continue;
    started.launch = await replaceStale(context, postmaster);
  }
  // A server that was started is left running: it may still be recovering, and the next start adopts it.
  throw new StartupError(
    `Postgres is not ready after ${START_TIMEOUT_MS / 1000} seconds: try again, or see ${placement.logFile}`,
  );
}

/** Connects and acquires the lock; undefined if no server runs, or the one that runs is about to stop. */
async function tryToOwn(context: ServerContext, postmaster: Postmaster): Promise<OwnedServer | undefined> {
  const { cluster, placement } = context;
  const password = await readPassword(cluster);
  const connection: Connection = {
    host: postmaster.host,
    port: postmaster.port,
    database: 'parley',
    username: SUPERUSER,
    ...(password === undefined ? {} : { password }),
  };
  try {
    const lock = await acquireOwnerLock(connection);
    // The lock may be free because its owner shuts the server down. Postgres writes that status before it disconnects
    // anyone, so it is visible by now.
    const current = await readPostmaster(cluster);
    if (current?.pid === postmaster.pid && current.status === 'ready')
      return { postmaster, connection, lock };
    await lock.release();
  } catch (error) {
    if (isLockHeld(error))
      throw new StartupError(
        `The data folder ${placement.folder} is in use by another Parley process: stop it, or set DATA_DIR to another folder.`,
      );
    if (!isTransient(error))
      throw new StartupError(`Postgres in ${placement.folder} refused the connection: ${messageOf(error)}`);
    const isUnreachable = postmaster.host.startsWith('/') && !existsSync(postmaster.host);
    if (isUnreachable) await stopUnreachable(context, postmaster);
  }
  return undefined;
}

/** Without its socket folder, which a cleaner of temporary files may have removed, no one can connect to a server again. */
async function stopUnreachable({ cluster, binaries }: ServerContext, { pid }: Postmaster): Promise<void> {
  await stopServer(pid, cluster, binaries.pgCtl).catch((error: unknown) => {
    throw new StartupError(messageOf(error));
  });
}

/** Removes what a dead server left, and starts a new one. */
async function replaceStale(
  { placement, binaries, cluster, settings }: ServerContext,
  stale: Postmaster | undefined,
): Promise<Launch> {
  if (stale !== undefined) {
    removeStalePidFile(cluster, stale);
    await removeSocketFolder(stale.host);
  }
  const { account, logFile } = placement;
  return launchServer({ binaries, cluster, account, logFile, settings });
}

/**
 * Throws unless the server ended because another process was faster, or because a dead server's processes or shared memory
 * still existed.
 */
async function discardOrThrow({ placement }: ServerContext, launch: Launch, isEarly: boolean): Promise<void> {
  await launch.discard();
  const reason = await launch.reason();
  if (isEarly && /postmaster\.pid"|shared memory block/.test(reason)) return;
  throw new StartupError(`Postgres did not start in ${placement.folder}: ${reason}`);
}
