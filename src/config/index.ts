import { existsSync } from 'node:fs';
import { z } from 'zod';
import { StartupError } from './startup-error.js';

/** All settings, checked. Only this file reads the environment; every other part receives a `Config`. */
export interface Config {
  /** TCP port for HTTP and WebSocket; 0 lets the system choose a free one. */
  readonly port: number;
  /** Address to listen on. `::` accepts IPv4 too; on a machine without IPv6, `0.0.0.0` is used instead. */
  readonly host: string;
  /** Folder of the embedded database and of the generated JWT secret. */
  readonly dataDir: string;
  /** URL of the Postgres to use; null runs the embedded one in `dataDir`. */
  readonly databaseUrl: string | null;
  /** URL of the Redis that carries events between instances; null keeps events in this process. */
  readonly redisUrl: string | null;
  /** Prefix of every Redis key and channel, so that several deployments can share one Redis. */
  readonly redisPrefix: string;
  /** Key that signs access tokens; null generates one and keeps it in `dataDir`. */
  readonly jwtSecret: string | null;
  /** Lifetime of an access token, in seconds. */
  readonly accessTokenTtlSeconds: number;
  /** Origins that browsers may call from, in addition to the server's own. */
  readonly allowedOrigins: AllowedOrigins;
  /** Name of the public room that every new user joins; null if there is none. */
  readonly lobby: string | null;
  /** Lowest level that is logged. */
  readonly logLevel: LogLevel;
  /** `false` disables all rate limits, for benchmarks. */
  readonly rateLimits: boolean;
  /** Number of proxies in front of Parley that append to `X-Forwarded-For`; 0 ignores that header. */
  readonly trustedProxies: number;
  /** Whether a browser that opens `/graphql` gets GraphiQL. */
  readonly graphiql: boolean;
  /** Whether introspection queries are allowed. */
  readonly introspection: boolean;
  /** The most that an operation may cost; see `graphql/cost.ts`. */
  readonly maxOperationCost: number;
  /** Time over which a shutdown spreads the closing of connections, in seconds. */
  readonly drainSeconds: number;
  /** Whether `NODE_ENV` is `production`. */
  readonly production: boolean;
}

/** Origins that browsers may call from. */
export interface AllowedOrigins {
  /** Allows every origin. */
  readonly any: boolean;
  /** Allowed origins, compared literally: `https://app.example.com`. */
  readonly exact: ReadonlySet<string>;
  /** Allows pages served by this machine, such as by a development server: `localhost`, 127.0.0.1 and [::1], on any port. */
  readonly localhost: boolean;
}

const LOG_LEVELS = ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

// The messages below complete the sentence "<NAME> must be …".

const integer = (min: number, max: number, expected: string) =>
  z
    .string()
    .regex(/^\d+$/, expected)
    .transform(Number)
    .refine((value) => value >= min && value <= max, expected);
const onOff = z.enum(['on', 'off'], 'on or off').transform((value) => value === 'on');
const url = (protocols: readonly string[], expected: string) =>
  z.string().refine((value) => URL.canParse(value) && protocols.includes(new URL(value).protocol), expected);
/** Null if not set. The value may hold a password, so it is never shown. */
const secret = (form: z.ZodType<string, string>) => form.nullable().default(null).meta({ secret: true });
const origins = z
  .string()
  .transform((value) => value.split(',').map((origin) => origin.trim()))
  .refine(
    (list) => list.every((origin) => origin === '*' || isOrigin(origin)),
    'a comma-separated list of origins such as https://app.example.com, without a path, or *',
  );

/** One row per setting: its form, what is expected, and its default. The README's table has the same rows. */
const settings = z.object({
  PORT: integer(0, 65_535, 'a port number from 0 to 65535').default(4000),
  HOST: z.string().default('::'),
  DATA_DIR: z.string().default('.data'),
  DATABASE_URL: secret(
    url(['postgres:', 'postgresql:'], 'a URL such as postgres://user:password@localhost:5432/parley'),
  ),
  REDIS_URL: secret(
    url(['redis:', 'rediss:'], 'a URL such as redis://localhost:6379, or rediss://… for TLS'),
  ),
  REDIS_PREFIX: z
    .string()
    .regex(/^[\w.-]{1,64}$/, '1 to 64 letters, digits, dots, dashes or underscores')
    .default('parley'),
  JWT_SECRET: secret(
    z
      .string()
      .refine(
        (value) => Buffer.byteLength(value) >= 32,
        'at least 32 bytes long: generate one with `openssl rand -base64 48`',
      ),
  ),
  ACCESS_TOKEN_TTL: integer(1, 31_536_000, 'a whole number of seconds from 1 to 31536000').default(3600),
  ALLOWED_ORIGINS: origins.default([]),
  LOBBY: z
    .string()
    .refine(
      (value) => [...value].length <= 80 && isPlain(value),
      'a room name of at most 80 characters on one line, or empty for no lobby',
    )
    .transform((value) => value.trim() || null)
    .default('Lobby'),
  LOG_LEVEL: z.enum(LOG_LEVELS, `one of ${LOG_LEVELS.join(', ')}`).default('info'),
  RATE_LIMITS: onOff.default(true),
  TRUSTED_PROXIES: integer(0, 10, 'a whole number of proxies from 0 to 10').default(0),
  // Off by default in production, on otherwise.
  GRAPHIQL: onOff.optional(),
  INTROSPECTION: onOff.optional(),
  MAX_OPERATION_COST: integer(100, 1_000_000, 'a whole number from 100 to 1000000').default(5000),
  DRAIN_SECONDS: integer(0, 600, 'a whole number of seconds from 0 to 600').default(5),
});

type SettingName = keyof typeof settings.shape;

/** The names of all settings. Tests compare the README's table and `.env.example` with them. */
export const settingNames = Object.keys(settings.shape) as SettingName[];

/**
 * Reads the settings of this process from its environment, and those that are not set there from `.env` in the working
 * folder.
 *
 * @throws StartupError as `readConfig` does.
 */
export function loadConfig(): Config {
  if (existsSync('.env')) process.loadEnvFile('.env');
  return readConfig(process.env);
}

/** Whether npm started this process. npm runs it in a shell of its own, which does not pass on every signal. */
export function isRunByNpm(): boolean {
  return process.env.npm_lifecycle_event !== undefined;
}

/**
 * Reads and checks all settings at once.
 *
 * @throws StartupError with one line per mistake, which names the variable and the expected value. The value of a
 *   setting that may hold a secret is not shown.
 */
export function readConfig(env: Readonly<Record<string, string | undefined>>): Config {
  const production = env.NODE_ENV === 'production';
  // An empty variable counts as not set, except for LOBBY, where it means that there is no lobby.
  const values = Object.fromEntries(
    settingNames.map((name) => [name, name === 'LOBBY' ? env[name] : env[name] || undefined]),
  );
  const result = settings.safeParse(values);
  const mistakes = result.success ? [] : describeMistakes(result.error, values);
  if (production && !env.DATABASE_URL)
    mistakes.push(
      'DATABASE_URL must be set if NODE_ENV is production: the embedded database is for laptops and demos.',
    );
  if (production && !env.JWT_SECRET)
    mistakes.push(
      'JWT_SECRET must be set if NODE_ENV is production: generate one with `openssl rand -base64 48`.',
    );
  if (!result.success || mistakes.length > 0) throw new StartupError(mistakes.join('\n'));

  const { data } = result;
  return {
    port: data.PORT,
    host: data.HOST,
    dataDir: data.DATA_DIR,
    databaseUrl: data.DATABASE_URL,
    redisUrl: data.REDIS_URL,
    redisPrefix: data.REDIS_PREFIX,
    jwtSecret: data.JWT_SECRET,
    accessTokenTtlSeconds: data.ACCESS_TOKEN_TTL,
    allowedOrigins: {
      any: data.ALLOWED_ORIGINS.includes('*'),
      exact: new Set(data.ALLOWED_ORIGINS),
      localhost: !production,
    },
    lobby: data.LOBBY,
    logLevel: data.LOG_LEVEL,
    rateLimits: data.RATE_LIMITS,
    trustedProxies: data.TRUSTED_PROXIES,
    graphiql: data.GRAPHIQL ?? !production,
    introspection: data.INTROSPECTION ?? !production,
    maxOperationCost: data.MAX_OPERATION_COST,
    drainSeconds: data.DRAIN_SECONDS,
    production,
  };
}

/** One line per wrong setting, in the order of the table, whatever the number of its issues. */
function describeMistakes(error: z.ZodError, values: Readonly<Record<string, string | undefined>>): string[] {
  return settingNames.flatMap((name) => {
    const issue = error.issues.find(({ path }) => path[0] === name);
    if (!issue) return [];
    const isSecret = z.globalRegistry.get(settings.shape[name])?.secret === true;
    const shown = isSecret ? '' : `, but is ${JSON.stringify(values[name])}`;
    return [`${name} must be ${issue.message}${shown}.`];
  });
}

function isOrigin(value: string): boolean {
  // URL accepts `*` in a host, but origins are compared literally: `https://*.example.com` would match no page.
  return URL.canParse(value) && new URL(value).origin === value && !value.includes('*');
}

function isPlain(value: string): boolean {
  return value.isWellFormed() && !/\p{Cc}/u.test(value);
}
