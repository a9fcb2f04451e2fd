import { randomBytes } from 'node:crypto';
import postgres from 'postgres';
import { inject } from 'vitest';
import type { DatabaseAddress } from '../../src/storage/database.js';
import { stopInTheEnd } from './stopping.js';
import { openStoresAt, type Stores } from './stores.js';

/** As postgres.js takes it: `host` is a folder, where it is a unix socket. */
export interface TestConnection {
  host: string;
  port: number;
  database: string;
  username: string;
}

export interface TestDatabase {
  readonly name: string;
  /** The way of the pair under test: through the unix socket on `embedded`, over TCP on `cluster`. */
  readonly connection: TestConnection;
  /** The same database over TCP, on both pairs: postgres.js knows no URL for a unix socket. */
  readonly url: string;
  /** Also cuts off whoever is still connected. Harmless when repeated. */
  drop(): Promise<void>;
}

function connectionTo(database: string): TestConnection {
  const { socketHost, tcpHost, port, username } = inject('postgres');
  return { host: inject('pair') === 'embedded' ? socketHost : tcpHost, port, database, username };
}

/** A connection that lasts for one statement: what stays open would keep other databases from being dropped. */
async function administer(statement: string): Promise<void> {
  const sql = postgres({ ...connectionTo('postgres'), max: 1, onnotice: () => {} });
  try {
    await sql.unsafe(statement);
  } finally {
    await sql.end();
  }
}

/** A new, empty database in the Postgres of this run, dropped at the end of the test file if not before. */
export async function createTestDatabase(): Promise<TestDatabase> {
  const name = `test_${randomBytes(8).toString('hex')}`;
  await administer(`create database ${name}`);
  const { tcpHost, port, username } = inject('postgres');
  const drop = async () => {
    dropped();
    await administer(`drop database if exists ${name} with (force)`);
  };
  const dropped = stopInTheEnd(drop);
  return {
    name,
    connection: connectionTo(name),
    url: `postgres://${encodeURIComponent(username)}@${tcpHost}:${port}/${name}`,
    drop,
  };
}

/** The way that Parley itself takes, on the pair under test. */
export function addressOf(database: TestDatabase): DatabaseAddress {
  return inject('pair') === 'cluster' ? { url: database.url } : { connection: database.connection };
}

/** As `openStoresAt`, on the pair under test. */
export function openStores(database: TestDatabase): Stores {
  return openStoresAt(addressOf(database));
}
