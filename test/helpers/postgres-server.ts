import { chmod, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type EmbeddedPostgres, startEmbeddedPostgres } from '../../src/storage/embedded-postgres.js';
import { freePort } from './free-port.js';
import { stopInTheEnd } from './stopping.js';
import { temporaryFolder } from './temporary-folder.js';

/** A Postgres of one's own: the one that Parley brings along, without the care for data, since this is thrown away. */
export interface PrivatePostgres {
  /** The folder of its unix socket; another one after a restart. */
  readonly socketHost: string;
  /** On 127.0.0.1; stays the same over a restart, as does the data. */
  readonly port: number;
  readonly username: string;
  /** Over TCP: the database that Parley itself would use. */
  readonly url: string;
  /** Disconnects everyone, and resolves when it is gone; its data stays. */
  halt(): Promise<void>;
  /** Starts it again after `halt`, and resolves when it serves. */
  resume(): Promise<void>;
  /** Ends it and removes its data. Harmless when repeated. */
  stop(): Promise<void>;
}

/** Unlike Parley's own, it is reached over TCP too. */
const ACCESS = `local all all trust
host all all 127.0.0.1/32 trust
`;

/** It is stopped at the end of the test file, if the test didn't. */
export async function startPostgres(): Promise<PrivatePostgres> {
  const folder = temporaryFolder('postgres');
  const hbaFile = join(folder.path, 'pg_hba.conf');
  await writeFile(hbaFile, ACCESS);
  await chmod(hbaFile, 0o644); // Under root, Postgres reads it as another account, whatever our umask.
  const port = await freePort();
  const start = (): Promise<EmbeddedPostgres> =>
    startEmbeddedPostgres({
      dataDir: folder.path,
      log: () => {},
      settings: {
        listen_addresses: '127.0.0.1',
        port: String(port),
        hba_file: hbaFile,
        fsync: 'off',
        max_connections: '200',
      },
    });
  let running = await start();
  const stop = async (): Promise<void> => {
    stopped();
    await running.stop();
    await folder.clear();
  };
  const stopped = stopInTheEnd(stop);
  return {
    get socketHost() {
      return running.connection.host;
    },
    port,
    username: running.connection.username,
    url: `postgres://${running.connection.username}@127.0.0.1:${port}/${running.connection.database}`,
    halt: () => running.stop(),
    async resume() {
      running = await start();
    },
    stop,
  };
}
