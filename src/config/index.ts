import { existsSync } from 'node:fs';
import { z } from 'zod';
import { normalizeOrigin } from '../lib/origin.js';
import type { ShareLimits } from '../lib/share.js';
import { StartupError } from '../startup-error.js';
import { type LogLevel, settings } from './settings.js';

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
  /** Connections to the database at most. */
  readonly databaseConnections: number;
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
  /** `false` disables all rate limits, and the shares of users and addresses, for benchmarks. */
  readonly rateLimits: boolean;
  /** Number of proxies in front of Parley that append to `X-Forwarded-For`; 0 ignores that header. */
  readonly trustedProxies: number;
  /** Whether a browser that opens `/graphql` gets GraphiQL. */
  readonly graphiql: boolean;
  /** Whether introspection queries are allowed. */
  readonly introspection: boolean;
  /** Whether `/metrics` is served on the public port too. */
  readonly metrics: boolean;
  /** TCP port for `/metrics` alone; null if there is none. */
  readonly metricsPort: number | null;
  /** Base URL of the OpenTelemetry collector that receives traces; null if there is none. */
  readonly otlpEndpoint: string | null;
  /** The most that an operation may cost; see `graphql/cost.ts`. */
  readonly maxOperationCost: number;
  /** The most connections, operations in progress, subscriptions and MiB of unsent data; see `lib/share.ts`. */
  readonly maxConnections: ShareLimits;
  readonly maxOperations: ShareLimits;
  readonly maxSubscriptions: ShareLimits;
  readonly maxUnsentMib: ShareLimits;
  /** How long an idle HTTP connection stays open, in seconds. */
  readonly keepAliveSeconds: number;
  /** Time over which a shutdown spreads the closing of connections, in seconds. */
  readonly drainSeconds: number;
  /** Whether `NODE_ENV` is `production`. */
  readonly production: boolean;
}

/** Origins that browsers may call from. */
export interface AllowedOrigins {
  /** Allows every origin. */
  readonly any: boolean;
  /** Allowed origins, such as `https://app.example.com`, normalized: see `normalizeOrigin`. */
  readonly exact: ReadonlySet<string>;
  /** Allows pages of this machine and of the local network on any port, such as those of a development server. */
  readonly local: boolean;
}

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
    databaseConnections: data.DATABASE_CONNECTIONS,
    redisUrl: data.REDIS_URL,
    redisPrefix: data.REDIS_PREFIX,
    jwtSecret: data.JWT_SECRET,
    accessTokenTtlSeconds: data.ACCESS_TOKEN_TTL,
    allowedOrigins: {
      any: data.ALLOWED_ORIGINS.includes('*'),
      exact: new Set(data.ALLOWED_ORIGINS.map(normalizeOrigin)),
      local: !production,
    },
    lobby: data.LOBBY,
    logLevel: data.LOG_LEVEL,
    rateLimits: data.RATE_LIMITS,
    trustedProxies: data.TRUSTED_PROXIES,
    graphiql: data.GRAPHIQL ?? !production,
    introspection: data.INTROSPECTION ?? !production,
    metrics: data.METRICS ?? !production,
    metricsPort: data.METRICS_PORT,
    otlpEndpoint: data.OTEL_EXPORTER_OTLP_ENDPOINT,
    maxOperationCost: data.MAX_OPERATION_COST,
    maxConnections: data.MAX_CONNECTIONS,
    maxOperations: data.MAX_OPERATIONS,
    maxSubscriptions: data.MAX_SUBSCRIPTIONS,
    maxUnsentMib: data.MAX_UNSENT_MIB,
    keepAliveSeconds: data.KEEP_ALIVE_SECONDS,
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
