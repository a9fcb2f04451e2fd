import { messageOf } from '../lib/error-message.js';
import { once } from '../lib/once.js';
import { StartupError } from '../startup-error.js';
import { choosePlacement } from './account.js';
import { acquireServer } from './acquire.js';
import { findBinaryPackage, majorOf, prepareBinaries } from './binaries.js';
import { ensureCluster } from './cluster.js';
import { type Connection, maintainOwnerLock } from './owner-lock.js';
import { isServing, removeSocketFolder, stopServer } from './server.js';

export interface EmbeddedPostgresOptions {
  /** The DATA_DIR setting. Its subfolder `postgres` holds the cluster, its file `postgres.log` the server's log. */
  readonly dataDir: string;
  /** Receives one line for everything the operator should know. */
  readonly log: (message: string) => void;
  /** Additional server settings. A server that a crash left running keeps the settings it was started with. */
  readonly settings?: Record<string, string>;
  /** Called once if the server is gone for good before `stop` is called. */
  readonly onLost?: () => void;
}

export interface EmbeddedPostgres {
  /** Options for postgres.js. */
  readonly connection: Connection;
  /** Absolute path of the folder that holds the cluster: not `dataDir` if root had to put it elsewhere. */
  readonly dataFolder: string;
  /** Shuts the server down and waits until it has ended. Idempotent. */
  stop(): Promise<void>;
}

/**
 * Starts the private Postgres of a data folder, or adopts the one that a crashed owner left running. The server runs in a
 * session of its own, so that neither Ctrl-C nor a `kill -9` of this process reaches it. No signal handlers are
 * installed: the caller must call `stop`.
 *
 * @throws StartupError if another process uses the folder, or Postgres cannot run.
 */
export async function startEmbeddedPostgres(options: EmbeddedPostgresOptions): Promise<EmbeddedPostgres> {
  try {
    return await start(options);
  } catch (error) {
    // The operator can fix what a system call reports about a folder or a program; any other error is a bug.
    if (!(error instanceof Error) || !('syscall' in error)) throw error;
    throw new StartupError(`The embedded Postgres could not be started: ${error.message}`);
  }
}

async function start({ dataDir, log, settings, onLost }: EmbeddedPostgresOptions): Promise<EmbeddedPostgres> {
  const binaryPackage = await findBinaryPackage();
  const placement = await choosePlacement(dataDir);
  const { folder, requested, logFile } = placement;
  const binaries = await prepareBinaries(binaryPackage, placement.account, log);
  const cluster = await ensureCluster(placement, binaries, majorOf(binaryPackage));
  if (folder !== requested)
    log(`The data is in ${folder}: Postgres does not run as root, and its user cannot enter ${requested}`);

  const { postmaster, connection, lock } = await acquireServer({
    placement,
    binaries,
    cluster,
    log,
    settings: settings ?? {},
  });
  const isRunning = () => isServing(postmaster.pid, cluster);
  const maintenance = maintainOwnerLock(lock, { connection, isRunning }, (outcome) => {
    if (outcome === 'reacquired') {
      log(`Postgres in ${folder} had closed its connections and is back: see ${logFile}`);
    } else {
      log(`Postgres in ${folder} is gone: see ${logFile}`);
      onLost?.();
    }
  });
  const stop = once(async () => {
    const held = maintenance.stop();
    // Released only after the server has ended: otherwise a process that starts now could adopt the server we stop.
    await stopServer(postmaster.pid, cluster, binaries.pgCtl).finally(() => held?.release());
    await removeSocketFolder(postmaster.host);
  });
  try {
    await lock.ensureDatabase(connection.database);
  } catch (error) {
    await stop();
    throw new StartupError(`The embedded Postgres could not create its database: ${messageOf(error)}`);
  }
  return { connection, dataFolder: folder, stop };
}
