import type postgres from 'postgres';
import { StartupError } from '../../startup-error.js';

/** What the driver and our SQL rely on in a session. */
interface Requirement {
  readonly name: string;
  /** What Parley sets for its own sessions. */
  readonly value: string;
  /** Whether the server's value will do where Parley cannot set it. */
  readonly accepts: (current: string) => boolean;
}

const is = (name: string, value: string): Requirement => ({
  name,
  value,
  accepts: (current) => current === value,
});

const REQUIREMENTS: readonly Requirement[] = [
  // The driver reads times in the ISO style only, which names the time zone.
  { name: 'DateStyle', value: 'ISO, MDY', accepts: (current) => current.startsWith('ISO') },
  { name: 'TimeZone', value: 'UTC', accepts: () => true },
  { name: 'IntervalStyle', value: 'postgres', accepts: () => true },
  { name: 'bytea_output', value: 'hex', accepts: () => true },
  is('standard_conforming_strings', 'on'),
  // Each statement of our SQL functions sees what was committed before it.
  is('default_transaction_isolation', 'read committed'),
  is('default_transaction_read_only', 'off'),
  is('default_transaction_deferrable', 'off'),
  // Where the migrations create the tables.
  { name: 'search_path', value: 'public', accepts: () => true },
  // A message that was acknowledged survives a crash.
  { name: 'synchronous_commit', value: 'on', accepts: (current) => current !== 'off' },
];

/**
 * Timeouts of every session, in ms, so that a call fails before its client gives up. A lock may take two
 * `lock_timeout`s: behind other waiters for the same row, Postgres waits first for its place in the queue and then
 * for the holder.
 */
export const SESSION_TIMEOUTS_MS = {
  lock_timeout: 2_500,
  statement_timeout: 15_000,
  idle_in_transaction_session_timeout: 15_000,
};

/** The same timeouts for a session that migrates, whatever the database's defaults are. */
export const NO_TIMEOUTS = { lock_timeout: 0, statement_timeout: 0, idle_in_transaction_session_timeout: 0 };

/** Parameters that poolers keep apart for each of their clients; they refuse others (PgBouncer 1.18) or share them. */
const KEPT_BY_POOLERS: readonly string[] = ['DateStyle', 'TimeZone', 'standard_conforming_strings'];

/** The parameters of a session's start. */
export function startupParameters(isPooled: boolean): Record<string, string> {
  const set = REQUIREMENTS.filter(({ name }) => !isPooled || KEPT_BY_POOLERS.includes(name));
  return Object.fromEntries(set.map(({ name, value }) => [name, value]));
}

/**
 * Checks what a pooler hands out, since Parley cannot set it there.
 *
 * @throws StartupError that says what to set for the role.
 */
export async function checkPooledSession(client: postgres.Sql): Promise<void> {
  const names = REQUIREMENTS.map(({ name }) => name.toLowerCase());
  const rows = await client<{ name: string; setting: string }[]>`
    select lower(name) as name, setting from pg_settings where lower(name) = any(string_to_array(${names.join()}, ','))`;
  const current = new Map(rows.map(({ name, setting }) => [name, setting]));
  const wrong = REQUIREMENTS.filter(({ name, accepts }) => !accepts(current.get(name.toLowerCase()) ?? ''));
  const [role] = await client<{ name: string; schema: string | null }[]>`
    select quote_ident(current_user) as name, current_schema() as schema`;
  const missing = wrong.map(({ name, value }) => `ALTER ROLE ${role?.name} SET ${name} = '${value}';`);
  if (role?.schema !== 'public') missing.push(`ALTER ROLE ${role?.name} SET search_path = public;`);
  if (missing.length > 0)
    throw new StartupError(
      `Behind a connection pooler, the role needs these settings; apply them and reconnect the pooler: ${missing.join(' ')}`,
    );
}
