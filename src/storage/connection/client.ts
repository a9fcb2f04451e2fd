import postgres from 'postgres';
import { type PostgresAddress, type PostgresHost, parsePostgresUrl } from '../../lib/postgres-url.js';
import { createHostChoice } from './hosts.js';
import { NO_TIMEOUTS, SESSION_TIMEOUTS_MS, startupParameters } from './session.js';
import { openSocketOrFail } from './socket.js';

/** The address of the database: a URL, or the embedded server's socket. */
export type DatabaseAddress =
  | { readonly url: string }
  | {
      readonly connection: {
        host: string;
        port: number;
        database: string;
        username: string;
        password?: string;
      };
    };

export interface ClientOptions {
  /** Connections at most. */
  readonly max: number;
  /** Whether a connection pooler is in front of the server: no statement is prepared then, and no session is relied on. */
  readonly isPooled: boolean;
  /** Whether statements and locks have time-outs. Migrations have none. */
  readonly hasTimeouts: boolean;
}

/** Delay before a refused or lost connection is opened again, in seconds. */
const RECONNECT_DELAY_S = 0.05;
/** The time for the start of a session, in seconds, after the connection was opened. */
const STARTUP_TIMEOUT_S = 5;
/** Connections are replaced before a proxy or firewall drops them silently, in seconds. */
const MAX_LIFETIME_S = 30 * 60;

/** Creates the driver's client, which connects at its first query. */
export function createClient(target: DatabaseAddress, options: ClientOptions): postgres.Sql {
  const address = addressOf(target);
  const { targetSessionAttributes: wanted } = address;
  if (wanted === null) return connectTo(address, options, async () => address.hosts);
  const isStandby = (host: PostgresHost) => askWhetherStandby({ ...address, hosts: [host] }, options);
  return connectTo(address, options, createHostChoice(address.hosts, wanted, isStandby));
}

async function askWhetherStandby(address: PostgresAddress, options: ClientOptions): Promise<boolean> {
  const client = connectTo(address, { ...options, max: 1 }, async () => address.hosts);
  try {
    const [row] = await client<{ is_standby: boolean }[]>`select pg_is_in_recovery() as is_standby`;
    return row?.is_standby === true;
  } finally {
    await client.end({ timeout: 1 });
  }
}

/** @param hosts returns those to try for each connection, in their order. */
function connectTo(
  address: PostgresAddress,
  { isPooled, hasTimeouts, max }: ClientOptions,
  hosts: () => Promise<readonly PostgresHost[]>,
): postgres.Sql {
  // `socket` is missing in the driver's types.
  const options = {
    max,
    // The driver names it in errors. The connection itself is opened by `socket`.
    host: address.hosts[0]?.host ?? '',
    port: address.hosts[0]?.port ?? 0,
    ...(address.database === null ? {} : { database: address.database }),
    ...(address.username === null ? {} : { username: address.username }),
    ...(address.password === null ? {} : { password: address.password }),
    socket: () => openSocketOrFail(async () => ({ ...address, hosts: await hosts() })),
    ssl: false,
    connect_timeout: STARTUP_TIMEOUT_S,
    // By default, postgres.js waits up to 20 s before it connects again, and callers wait with it.
    backoff: () => RECONNECT_DELAY_S,
    max_lifetime: MAX_LIFETIME_S,
    prepare: !isPooled,
    connection: {
      application_name: address.applicationName ?? 'parley',
      ...startupParameters(isPooled),
      ...(isPooled ? {} : hasTimeouts ? SESSION_TIMEOUTS_MS : NO_TIMEOUTS),
      ...(address.options === null ? {} : { options: address.options }),
    },
    // Parley uses no array types. Fetching them is a query on each new connection whose error cannot be caught: if
    // Postgres restarted at that moment, the process would end.
    fetch_types: false,
    // Migrations cause notices such as "already exists, skipping".
    onnotice: () => {},
  };
  return postgres(options);
}

export function addressOf(target: DatabaseAddress): PostgresAddress {
  if ('url' in target) return parsePostgresUrl(target.url);
  const { host, port, database, username, password = null } = target.connection;
  return { ...parsePostgresUrl('postgres://'), hosts: [{ host, port }], database, username, password };
}
