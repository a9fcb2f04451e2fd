/** Where a Redis listens, and how to log in. */
export interface RedisTarget {
  /** Null for a Unix socket. */
  readonly host: string | null;
  readonly port: number;
  /** The path of a Unix socket; null for TCP. */
  readonly path: string | null;
  readonly username: string | null;
  readonly password: string | null;
  readonly database: number;
  readonly usesTls: boolean;
}

const DEFAULT_PORT = 6379;

/** A mistake in a URL of Redis. Its message completes "must be …" and shows no part that may be secret. */
export class RedisUrlError extends Error {
  override name = 'RedisUrlError';
  constructor(problem: string) {
    super(`a URL such as redis://localhost:6379, rediss://… for TLS, or unix:///run/redis.sock: ${problem}`);
  }
}

/** @throws RedisUrlError */
export function parseRedisUrl(url: string): RedisTarget {
  const [, scheme = '', rest] = /^(rediss?|unix):\/\/(.*)$/is.exec(url.trim()) ?? [];
  if (rest === undefined) throw new RedisUrlError('it must begin with redis://, rediss:// or unix://');
  const isSocket = scheme.toLowerCase() === 'unix';
  // A password may contain `@`, `/`, `?` and `#`, although they should be percent-encoded.
  const [, userInfo = '', location = ''] = /^(?:(.*)@)?([^@]*)$/s.exec(rest) ?? [];
  const [place = '', query = ''] = location.split('?', 2);
  const parameters = new URLSearchParams(query);
  for (const name of parameters.keys())
    if (name !== 'db')
      throw new RedisUrlError(`it has the parameter \`${name}\`, which Parley does not know`);
  const separator = userInfo.indexOf(':');
  const username = separator === -1 ? userInfo : userInfo.slice(0, separator);
  const login = {
    username: decode(username) || null,
    password: separator === -1 ? null : decode(userInfo.slice(separator + 1)) || null,
    usesTls: scheme.toLowerCase() === 'rediss',
  };
  if (isSocket) {
    if (!place.startsWith('/')) throw new RedisUrlError('the path of its socket must begin with /');
    return {
      ...login,
      host: null,
      port: 0,
      path: decode(place),
      database: databaseOf(parameters.get('db') ?? ''),
    };
  }
  const [authority = '', ...path] = place.split('/');
  if (authority === '')
    throw new RedisUrlError('it has no host; a Unix socket is written unix:///run/redis.sock');
  const [, bracketed, plain = '', port = String(DEFAULT_PORT)] =
    /^(?:\[([^\]]+)\]|([^:]*))(?::(.*))?$/.exec(authority) ?? [];
  if (!/^\d{1,5}$/.test(port) || Number(port) < 1 || Number(port) > 65_535)
    throw new RedisUrlError('its port must be a number from 1 to 65535');
  return {
    ...login,
    host: bracketed ?? plain,
    port: Number(port),
    path: null,
    database: databaseOf(parameters.get('db') ?? path.join('/')),
  };
}

/** The place and the database, for the log. Without secrets. */
export function describeRedis({ host, port, path, database }: RedisTarget): string {
  const place = path ?? (port === DEFAULT_PORT ? host : `${host}:${port}`);
  return database === 0 ? `${place}` : `${place}, database ${database}`;
}

function databaseOf(text: string): number {
  if (!/^\d{0,5}$/.test(text))
    throw new RedisUrlError('its database must be a number, as in redis://localhost:6379/1');
  return Number(text);
}

/** A percent sign that begins no code stands for itself. */
function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
