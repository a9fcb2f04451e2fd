import type postgres from 'postgres';
import { StartupError } from '../../startup-error.js';
import { databaseErrorCode } from '../errors.js';

/** The oldest major version that the tests run on. */
const MIN_MAJOR_VERSION = 13;

/**
 * Checks what cannot change while the server runs.
 *
 * @throws StartupError
 */
export async function checkServer(client: postgres.Sql): Promise<void> {
  const [server] = await client<Server[]>`
    select current_setting('server_version_num')::int / 10000 as version, current_setting('server_encoding') as encoding,
      pg_is_in_recovery() as is_standby, current_database() as database`;
  if (!server) throw new Error('The server has not answered.');
  if (server.version < MIN_MAJOR_VERSION)
    throw new StartupError(
      `The database server is Postgres ${server.version}: use version ${MIN_MAJOR_VERSION} or newer.`,
    );
  if (server.is_standby)
    throw new StartupError(
      'The database server is a standby, which is read-only: use the primary, or name all servers in DATABASE_URL and add target_session_attrs=read-write.',
    );
  if (server.encoding !== 'UTF8')
    throw new StartupError(
      `The database ${server.database} has the encoding ${server.encoding}: create one with CREATE DATABASE … ENCODING 'UTF8' TEMPLATE template0.`,
    );
}

interface Server {
  version: number;
  encoding: string;
  is_standby: boolean;
  database: string;
}

/** What to do about the server's refusals, by their codes (PostgreSQL documentation, appendix A). */
const CURES: Readonly<Record<string, string>> = {
  '08P01':
    'remove it from DATABASE_URL (`options` sets such parameters), or let the pooler ignore it (ignore_startup_parameters)',
  '28P01': 'check the user name and the password in DATABASE_URL',
  '28000':
    'check the user name in DATABASE_URL and the pg_hba.conf of the server; many servers need sslmode=require',
  '3D000': 'create it with CREATE DATABASE, or correct DATABASE_URL',
  '42501':
    'the role needs GRANT CREATE ON DATABASE and GRANT USAGE, CREATE ON SCHEMA public, and must own the tables of Parley',
  '3F000': 'create the schema public, where the tables are',
};

/** Converts an error that waiting does not cure. */
export function toStartupError(error: unknown): unknown {
  if (error instanceof StartupError) return error;
  const code = databaseErrorCode(error);
  if (code === null || !(error instanceof Error)) return error;
  const cure = CURES[code] ?? (isCertificateError(code) ? CERTIFICATE_CURE : null);
  const message = `The database refused the connection: ${error.message}`;
  return new StartupError(cure === null ? `${message}.` : `${message}: ${cure}.`);
}

const CERTIFICATE_CURE =
  'name the certificate of its authority, as PEM, with sslrootcert in DATABASE_URL or with NODE_EXTRA_CA_CERTS, and the host as it stands in the certificate';

function isCertificateError(code: string): boolean {
  return /CERT|^ERR_(?:SSL|OSSL|TLS)|^UNABLE_TO/.test(code);
}
