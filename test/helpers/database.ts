import { randomBytes } from 'node:crypto';
import postgres from 'postgres';
import { inject } from 'vitest';
import type { DatabaseAddress } from '../../src/storage/database.js';
import { stopAtEnd } from './stopping.js';
import { openStoresAt, type Stores } from './stores.js';

/** Connection options of postgres.js; `host` is a folder for a Unix socket. */
export interface TestConnection {
  host: string;
  port: number;
  database: string;
  username: string;
}

export interface TestDatabase {
  readonly name: string;
  /** The connection of the pair under test: the Unix socket on `embedded`, TCP on `cluster`. */
  readonly connection: TestConnection;
  /** The same database over TCP, on both pairs: postgres.js has no URLs for Unix sockets. */
  readonly url: string;
  /** Also disconnects all clients. May be called repeatedly. */
  drop(): Promise<void>;
}

function connectionTo(database: string): TestConnection {
  const { socketHost, tcpHost, port, username } = inject('postgres');
  return { host: inject('pair') === 'embedded' ? socketHost : tcpHost, port, database, username };
}

/** Runs one statement on a connection of its own: an open connection would block the drop of other databases. */
async function administer(statement: string): Promise<void> {
  const sql = postgres({ ...connectionTo('postgres'), max: 1, onnotice: () => {} });
  try {
    await sql.unsafe(statement);
  } finally {
    await sql.end();
  }
}

/** Creates an empty database in the Postgres of this run. It is dropped at the end of the test file at the latest. */
export async function createTestDatabase(): Promise<TestDatabase> {
  const name = `test_${randomBytes(8).toString('hex')}`;
  await administer(`create database ${name}`);
  const { tcpHost, port, username } = inject('postgres');
  const drop = async () => {
    dropped();
    await administer(`drop database if exists ${name} with (force)`);
  };
  const dropped = stopAtEnd(drop);
  return {
    name,
    connection: connectionTo(name),
    url: `postgres://${encodeURIComponent(username)}@${tcpHost}:${port}/${name}`,
    drop,
  };
}

/** The address that Parley itself uses on the pair under test. */
export function addressOf(database: TestDatabase): DatabaseAddress {
  return inject('pair') === 'cluster' ? { url: database.url } : { connection: database.connection };
}

/** Like `openStoresAt`, on the pair under test. */
export function openStores(database: TestDatabase): Stores {
  return openStoresAt(addressOf(database));
}
