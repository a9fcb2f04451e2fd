/**
 * Connection URLs of Postgres, as libpq defines them (PostgreSQL documentation, section 34.1.1.2) and as hosting services
 * hand them out: several hosts, Unix sockets and TLS options, which WHATWG URLs do not know.
 */

export const TLS_MODES = ['disable', 'allow', 'prefer', 'require', 'verify-ca', 'verify-full'] as const;
export type TlsMode = (typeof TLS_MODES)[number];

export interface PostgresTls {
  readonly mode: TlsMode;
  /** A file with certificates of authorities; `system` means those that Node knows. */
  readonly rootCertificate: string | null;
  /** Files of the client's certificate and key. */
  readonly certificate: string | null;
  readonly key: string | null;
  readonly keyPassphrase: string | null;
  /** Whether TLS begins without asking for it first (`sslnegotiation=direct`, Postgres 17). */
  readonly isDirect: boolean;
}

export interface PostgresHost {
  readonly host: string;
  readonly port: number;
}

export interface PostgresAddress {
  /** In the order in which they are tried. A host that begins with `/` is the folder of a Unix socket. */
  readonly hosts: readonly PostgresHost[];
  readonly database: string | null;
  readonly username: string | null;
  readonly password: string | null;
  readonly tls: PostgresTls;
  /** Which of several servers is wanted; null for any. */
  readonly targetSessionAttributes: TargetSessionAttributes | null;
  readonly applicationName: string | null;
  /** Time for each host, in ms; null for the default. */
  readonly connectTimeoutMs: number | null;
  /** Command-line options for the session, such as `-c jit=off`; null if there are none. */
  readonly options: string | null;
  /** Whether the URL says that a connection pooler is in front of the server. */
  readonly isPooled: boolean;
  /** Parameters that are not used here. */
  readonly ignored: readonly string[];
}

const TARGETS = ['read-write', 'read-only', 'primary', 'standby', 'prefer-standby'] as const;
export type TargetSessionAttributes = (typeof TARGETS)[number];

const DEFAULT_PORT = 5432;
const MIN_CONNECT_TIMEOUT_S = 2;

/** A mistake in a connection URL. Its message completes "must be …" and shows no part that may be secret. */
export class PostgresUrlError extends Error {
  override name = 'PostgresUrlError';
  constructor(problem: string) {
    super(`a URL such as postgres://user:password@localhost:5432/parley: ${problem}`);
  }
}

/** @throws PostgresUrlError */
export function parsePostgresUrl(url: string): PostgresAddress {
  const [, rest] = /^postgres(?:ql)?:\/\/(.*)$/is.exec(url.trim()) ?? [];
  if (rest === undefined) throw new PostgresUrlError('it must begin with postgres:// or postgresql://');
  // A password may contain `@`, `:`, `?` and `#`, although they should be percent-encoded.
  const [, userInfo, location = ''] = /^(?:(.*)@)?([^@]*)$/s.exec(withoutQuery(rest)) ?? [];
  const query = new URLSearchParams(rest.slice(withoutQuery(rest).length + 1));
  const [authority = '', database = ''] = splitOnce(location, '/');
  const [username, password] = splitOnce(userInfo ?? '', ':').map(decode);
  const parameters = takeParameters(query);
  return {
    hosts: hostsOf(parameters.host ?? authority, parameters.port),
    database: (parameters.dbname ?? decode(database)) || null,
    username: (parameters.user ?? username) || null,
    password: (parameters.password ?? password) || null,
    tls: tlsOf(parameters),
    targetSessionAttributes: targetOf(parameters.target_session_attrs),
    applicationName: parameters.application_name || null,
    connectTimeoutMs: timeoutOf(parameters.connect_timeout),
    options: parameters.options || null,
    isPooled: parameters.pgbouncer === 'true' || isPoolerOfService(parameters.host ?? authority),
    ignored: [...new Set(query.keys())].filter((name) => !isKnown(name)),
  };
}

/** The hosts and the database, for the log. Without secrets. */
export function describePostgres({ hosts, database }: PostgresAddress): string {
  const names = hosts.map(({ host, port }) => (port === DEFAULT_PORT ? host : `${host}:${port}`));
  return `${names.join(',')}/${database ?? ''}`;
}

const KNOWN = [
  ...['host', 'port', 'dbname', 'user', 'password', 'sslmode', 'ssl', 'sslrootcert', 'sslcert', 'sslkey'],
  ...['sslpassword', 'sslnegotiation', 'target_session_attrs', 'application_name', 'connect_timeout'],
  ...['options', 'pgbouncer'],
] as const;
type Parameters = { readonly [Name in (typeof KNOWN)[number]]?: string };

function isKnown(name: string): boolean {
  return (KNOWN as readonly string[]).includes(name);
}

function takeParameters(query: URLSearchParams): Parameters {
  return Object.fromEntries([...query].filter(([name]) => isKnown(name)));
}

/** The part before the query. A `?` in a password belongs to the password: the query follows the last host. */
function withoutQuery(rest: string): string {
  const afterUser = rest.lastIndexOf('@', lastIndexBefore(rest, rest.search(/\?[\w.]+=/)));
  const query = rest.indexOf('?', afterUser + 1);
  return query === -1 ? rest : rest.slice(0, query);
}

function lastIndexBefore(text: string, index: number): number {
  return index === -1 ? text.length : index;
}

function splitOnce(text: string, separator: string): [string, string?] {
  const index = text.indexOf(separator);
  return index === -1 ? [text] : [text.slice(0, index), text.slice(index + 1)];
}

/** A percent sign that begins no code stands for itself. */
function decode(text = ''): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text.replace(/(?:%[\da-f]{2})+/gi, (codes) => {
      try {
        return decodeURIComponent(codes);
      } catch {
        return codes;
      }
    });
  }
}

function hostsOf(list: string, ports: string | undefined): PostgresHost[] {
  const givenPorts = ports?.split(',') ?? [];
  return (list || 'localhost').split(',').map((item, index) => {
    // A folder of the parameter `host`, which may contain colons.
    if (item.startsWith('/')) return { host: item, port: portOf(givenPorts[index] ?? givenPorts[0]) };
    const [, bracketed, plain = '', ownPort] = /^(?:\[([^\]]*)\]|([^:]*))(?::(.*))?$/.exec(item) ?? [];
    if (bracketed === undefined && item.split(':').length > 2)
      throw new PostgresUrlError('an IPv6 address needs brackets');
    const port = portOf(ownPort || (givenPorts[index] ?? givenPorts[0]));
    return { host: bracketed ?? (decode(plain) || 'localhost'), port };
  });
}

function portOf(given: string | undefined): number {
  const port = given || String(DEFAULT_PORT);
  if (!/^\d{1,5}$/.test(port) || Number(port) < 1 || Number(port) > 65_535)
    throw new PostgresUrlError('its port must be a number from 1 to 65535');
  return Number(port);
}

function tlsOf(parameters: Parameters): PostgresTls {
  const rootCertificate = parameters.sslrootcert || null;
  return {
    mode: modeOf(parameters.sslmode ?? parameters.ssl, rootCertificate),
    rootCertificate,
    certificate: parameters.sslcert || null,
    key: parameters.sslkey || null,
    keyPassphrase: parameters.sslpassword || null,
    isDirect: parameters.sslnegotiation === 'direct',
  };
}

/** Spellings of other drivers: `ssl=true`, and `no-verify` for encryption without a check of the certificate. */
const OTHER_MODES: Readonly<Record<string, TlsMode>> = {
  true: 'require',
  '1': 'require',
  'no-verify': 'require',
  false: 'disable',
  '0': 'disable',
};

/** Like libpq, `require` checks the certificate if a root certificate is given, and `system` implies `verify-full`. */
function modeOf(given: string | undefined, rootCertificate: string | null): TlsMode {
  const mode =
    given === undefined ? undefined : (OTHER_MODES[given] ?? TLS_MODES.find((known) => known === given));
  if (given !== undefined && mode === undefined)
    throw new PostgresUrlError(`its sslmode must be one of ${TLS_MODES.join(', ')}`);
  if (rootCertificate === 'system') return 'verify-full';
  if (mode === 'require' && rootCertificate !== null) return 'verify-ca';
  return mode ?? 'prefer';
}

function targetOf(given: string | undefined): TargetSessionAttributes | null {
  if (given === undefined || given === 'any') return null;
  const target = TARGETS.find((known) => known === given);
  if (!target)
    throw new PostgresUrlError(`its target_session_attrs must be any or one of ${TARGETS.join(', ')}`);
  return target;
}

function timeoutOf(seconds: string | undefined): number | null {
  if (seconds === undefined || seconds === '0') return null;
  if (!/^\d{1,5}$/.test(seconds))
    throw new PostgresUrlError('its connect_timeout must be a number of seconds');
  return Math.max(MIN_CONNECT_TIMEOUT_S, Number(seconds)) * 1000;
}

/** Neon's pooled hosts, and port 6543 of Supabase's pooler. */
function isPoolerOfService(authority: string): boolean {
  return /-pooler\.[^,]*\.neon\.tech\b/.test(authority) || /\.supabase\.(?:com|co):6543\b/.test(authority);
}
