import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { chmod, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import postgres from 'postgres';
import { startEmbeddedPostgres } from '../../src/embedded-postgres/index.js';
import { readPostmaster } from '../../src/embedded-postgres/server.js';
import { freePort } from './free-port.js';
import { stopInTheEnd } from './stopping.js';
import { temporaryFolder } from './temporary-folder.js';

/** A Postgres of one's own, which may be broken at will. Its data are thrown away in the end. */
export interface PrivatePostgres {
  /** The folder of its unix socket, as postgres.js takes it in `host`; another one after a restart. */
  readonly socketHost: string;
  readonly tcpHost: '127.0.0.1';
  /** Stays the same over a restart. */
  readonly port: number;
  readonly username: string;
  /** Over TCP: the database that Parley itself would use. */
  readonly url: string;
  /** Makes a new, empty database, and returns its URL over TCP. */
  createDatabase(): Promise<string>;
  /**
   * Stops it, as `pg_ctl stop -m` does: `fast` rolls back and disconnects everybody, `immediate` is a crash. Its data stay.
   * Resolves when it is gone.
   */
  halt(mode?: 'fast' | 'immediate'): Promise<void>;
  /** After `halt`: copies its data, all databases, as they stand. Another copy takes the place of the last one. */
  snapshot(): Promise<void>;
  /** After `halt`: puts the last copy in the place of its data, as one restores a backup of files. */
  restore(): Promise<void>;
  /**
   * Starts it again after `halt`, with a recovery after a crash, and resolves when it serves. A standby only reads, until
   * it is promoted.
   */
  resume(as?: { readonly asStandby: boolean }): Promise<void>;
  /** Harmless when repeated. */
  stop(): Promise<void>;
}

/** Unlike Parley's own, this server is for those too who come over TCP. */
const ACCESS = `local all all trust
host all all 127.0.0.1/32 trust
`;

/**
 * Starts the server that Parley brings along, on a free port of 127.0.0.1. It is stopped at the end of the test file, if
 * the test didn't.
 */
export async function startPostgres(): Promise<PrivatePostgres> {
  const folder = temporaryFolder('postgres');
  const copy = join(folder.path, 'copy');
  const hbaFile = join(folder.path, 'pg_hba.conf');
  await writeFile(hbaFile, ACCESS);
  await chmod(hbaFile, 0o644); // Under root, Postgres reads it as another account, whatever our umask.
  const port = await freePort();
  const start = () =>
    startEmbeddedPostgres({
      dataDir: folder.path,
      log: () => {},
      settings: {
        listen_addresses: '127.0.0.1',
        port: String(port),
        hba_file: hbaFile,
        // Processes are killed here, never the machine: what was written stays written without it.
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
  const stopped = stopInTheEnd(stop);
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
        if (!postmaster) throw new Error('There is no Postgres to be stopped.');
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

/** With owners and modes, which Postgres insists on and Node's own copy forgets; in the place of what is there. */
async function copyFolder(from: string, to: string): Promise<void> {
  await rm(to, { recursive: true, force: true });
  await promisify(execFile)('cp', ['-a', from, to]);
}
