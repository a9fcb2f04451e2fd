import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { chmod, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import postgres from 'postgres';
import { startEmbeddedPostgres } from '../../src/embedded-postgres/index.js';
import { readPostmaster } from '../../src/embedded-postgres/server.js';
import { freePort } from './free-port.js';
import { stopAtEnd } from './stopping.js';
import { temporaryFolder } from './temporary-folder.js';

/** A private Postgres that tests may break. Its data is removed in the end. */
export interface PrivatePostgres {
  /** The folder of its Unix socket, for the option `host` of postgres.js; it changes with a restart. */
  readonly socketHost: string;
  readonly tcpHost: '127.0.0.1';
  /** Stays the same after a restart. */
  readonly port: number;
  readonly username: string;
  /** The database that Parley itself would use, over TCP. */
  readonly url: string;
  /** Creates an empty database, and returns its URL over TCP. */
  createDatabase(): Promise<string>;
  /**
   * Stops it like `pg_ctl stop -m`: `fast` rolls back transactions and disconnects all clients, `immediate` is a crash. Its
   * data is kept. Resolves when it has stopped.
   */
  halt(mode?: 'fast' | 'immediate'): Promise<void>;
  /** After `halt`: copies the data of all databases. A new copy replaces the last one. */
  snapshot(): Promise<void>;
  /** After `halt`: replaces its data with the last copy, like the restoration of a file backup. */
  restore(): Promise<void>;
  /**
   * Starts it again after `halt`, with recovery after a crash, and resolves when it accepts connections. A standby is
   * read-only until it is promoted.
   */
  resume(as?: { readonly asStandby: boolean }): Promise<void>;
  /** May be called repeatedly. */
  stop(): Promise<void>;
}

/** Unlike Parley's own server, this one also accepts connections over TCP. */
const ACCESS = `local all all trust
host all all 127.0.0.1/32 trust
`;

/** Starts Parley's embedded Postgres on a free port of 127.0.0.1. It is stopped at the end of the test file at the latest. */
export async function startPostgres(): Promise<PrivatePostgres> {
  const folder = temporaryFolder('postgres');
  const copy = join(folder.path, 'copy');
  const hbaFile = join(folder.path, 'pg_hba.conf');
  await writeFile(hbaFile, ACCESS);
  await chmod(hbaFile, 0o644); // Under root, Postgres reads it as another account, independent of the umask.
  const port = await freePort();
  const start = () =>
    startEmbeddedPostgres({
      dataDir: folder.path,
      log: () => {},
      settings: {
        listen_addresses: '127.0.0.1',
        port: String(port),
        hba_file: hbaFile,
        // Tests kill processes, but never the machine, so written data survives without it.
        fsync: 'off',
        max_connections: '200',
      },
    });

  let current = await start();
  const stop = async () => {
    stopped();
    await current.stop();
    await folder.clear();
  };
  const stopped = stopAtEnd(stop);
  const { username, database: ownDatabase } = current.connection;
  const url = (database: string) =>
    `postgres://${encodeURIComponent(username)}@127.0.0.1:${port}/${database}`;
  return {
    get socketHost() {
      return current.connection.host;
    },
    tcpHost: '127.0.0.1',
    port,
    username,
    url: url(ownDatabase),
    async createDatabase() {
      const name = `test_${randomBytes(8).toString('hex')}`;
      const sql = postgres(url('postgres'), { max: 1, onnotice: () => {} });
      try {
        await sql.unsafe(`create database ${name}`);
      } finally {
        await sql.end();
      }
      return url(name);
    },
    async halt(mode = 'fast') {
      if (mode === 'immediate') {
        const postmaster = await readPostmaster(join(current.dataFolder, 'postgres'));
        if (!postmaster) throw new Error('No Postgres is running.');
        process.kill(postmaster.pid, 'SIGQUIT');
      }
      await current.stop();
    },
    async snapshot() {
      await copyFolder(join(current.dataFolder, 'postgres'), copy);
    },
    async restore() {
      await copyFolder(copy, join(current.dataFolder, 'postgres'));
    },
    async resume({ asStandby } = { asStandby: false }) {
      if (asStandby) await writeFile(join(current.dataFolder, 'postgres', 'standby.signal'), '');
      current = await start();
    },
    stop,
  };
}

/** Replaces a folder with a copy, including owners and modes, which Postgres requires and Node's own copy loses. */
async function copyFolder(from: string, to: string): Promise<void> {
  await rm(to, { recursive: true, force: true });
  await promisify(execFile)('cp', ['-a', from, to]);
}
