import { existsSync } from 'node:fs';
import { z } from 'zod';
import { StartupError } from './startup-error.js';

/** How Parley is set up. This file alone reads the environment; everything else is handed a `Config`. */
export interface Config {
  /** TCP port of HTTP and WebSocket; 0 takes a free one. */
  readonly port: number;
  /** Address to listen on. `::` takes IPv4 too; where the machine has no IPv6, `0.0.0.0` is taken instead. */
  readonly host: string;
  /** Folder of the embedded database and of the generated secret. */
  readonly dataDir: string;
  /** Postgres to use; null runs the embedded one in `dataDir`. */
  readonly databaseUrl: string | null;
  /** Redis that carries events between instances; null keeps them in this process. */
  readonly redisUrl: string | null;
  /** Put before every Redis key and channel, so that deployments can share one Redis. */
  readonly redisPrefix: string;
  /** Key that signs access tokens; null means: make one and keep it in `dataDir`. */
  readonly jwtSecret: string | null;
  /** Lifetime of an access token, in seconds. */
  readonly accessTokenTtlSeconds: number;
  /** Origins, besides our own, that browsers may call from. */
  readonly allowedOrigins: AllowedOrigins;
  /** Name of the public room that everyone who signs up joins; null: no such room. */
  readonly lobby: string | null;
  readonly logLevel: LogLevel;
  /** `false` switches all rate limits off, for benchmarks. */
  readonly rateLimits: boolean;
  /** How many proxies stand in front and append to `X-Forwarded-For`; 0 ignores that header. */
  readonly trustedProxies: number;
  /** Whether browsers that open `/graphql` get GraphiQL. */
  readonly graphiql: boolean;
  /** Whether the schema can be asked for. */
  readonly introspection: boolean;
  /** Over how long connections are closed when Parley stops, in seconds. */
  readonly drainSeconds: number;
  readonly production: boolean;
}

/** Exact origins (`https://app.example.com`), or every one. */
export interface AllowedOrigins {
  readonly any: boolean;
  readonly exact: ReadonlySet<string>;
  /** Pages that a development server on this machine serves, on any port. */
  readonly localhost: boolean;
}

const LOG_LEVELS = ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

const integer = (min: number, max: number) =>
  z
    .string()
    .regex(/^\d+$/)
    .transform(Number)
    .refine((value) => value >= min && value <= max);
const onOff = z.enum(['on', 'off']).transform((value) => value === 'on');
const url = (...protocols: string[]) =>
  z.string().refine((value) => URL.canParse(value) && protocols.includes(new URL(value).protocol));

/** One row a setting: its default, its form, and what a mistake is told. The README's table has the same rows. */
const settings = {
  PORT: { default: '4000', form: integer(0, 65_535), expected: 'a port number, 0 to 65535' },
  HOST: { default: '::', form: z.string(), expected: 'an address to listen on' },
  DATA_DIR: { default: '.data', form: z.string(), expected: 'a folder' },
  DATABASE_URL: { default: '', form: url('postgres:', 'postgresql:'), expected: 'a postgres://… URL' },
  REDIS_URL: { default: '', form: url('redis:', 'rediss:'), expected: 'a redis://… or rediss://… URL' },
  REDIS_PREFIX: {
    default: 'parley',
    form: z.string().regex(/^[\w.-]{1,64}$/),
    expected: '1 to 64 letters, digits, dots, dashes or underscores',
  },
  JWT_SECRET: {
    default: '',
    form: z.string().refine((value) => Buffer.byteLength(value) >= 32),
    expected: 'at least 32 bytes',
  },
  ACCESS_TOKEN_TTL: {
    default: '3600',
    form: integer(1, 31_536_000),
    expected: 'a number of seconds, 1 to 31536000',
  },
  ALLOWED_ORIGINS: {
    default: '',
    form: z
      .string()
      .transform((value) => value.split(',').map((origin) => origin.trim()))
      .refine((origins) => origins.every((origin) => origin === '*' || isOrigin(origin))),
    expected: 'origins such as https://app.example.com, separated by commas, or *',
  },
  LOBBY: {
    default: 'Lobby',
    form: z.string().refine((value) => [...value].length <= 80 && isPlain(value)),
    expected: 'a room name of at most 80 characters, or empty for no lobby',
  },
  LOG_LEVEL: { default: 'info', form: z.enum(LOG_LEVELS), expected: `one of ${LOG_LEVELS.join(', ')}` },
  RATE_LIMITS: { default: 'on', form: onOff, expected: 'on or off' },
  TRUSTED_PROXIES: { default: '0', form: integer(0, 10), expected: 'a number of proxies, 0 to 10' },
  GRAPHIQL: { default: 'on', form: onOff, expected: 'on or off' },
  INTROSPECTION: { default: 'on', form: onOff, expected: 'on or off' },
  DRAIN_SECONDS: { default: '5', form: integer(0, 600), expected: 'a number of seconds, 0 to 600' },
} as const;

type Settings = typeof settings;
type SettingName = keyof Settings;

/** The names of all settings, so that a test can hold the README and `.env.example` to them. */
export const settingNames = Object.keys(settings) as SettingName[];

/** The settings of this process: its environment, and for what is not set there a `.env` file in the working folder. */
export function loadConfig(): Config {
  if (existsSync('.env')) process.loadEnvFile('.env');
  return readConfig(process.env);
}

/** Whether npm runs this process, below a shell of its own. */
export function isRunByNpm(): boolean {
  return process.env.npm_lifecycle_event !== undefined;
}

/**
 * Reads and checks all settings at once.
 *
 * @throws StartupError with one line per mistake, each naming its variable (a secret's value is never repeated).
 */
export function readConfig(env: Record<string, string | undefined>): Config {
  const mistakes: string[] = [];
  const production = env.NODE_ENV === 'production';

  function read<Name extends SettingName>(name: Name): z.output<Settings[Name]['form']> | null {
    const setting = settings[name];
    // Set but empty means the same as not set, except for the lobby, where it says that there is none.
    const value = name === 'LOBBY' ? (env[name] ?? setting.default) : env[name] || setting.default;
    if (value === '') return null;
    const result = setting.form.safeParse(value);
    // The row's own form made the value, so it has the row's own type: TypeScript does not follow the index.
    if (result.success) return result.data as z.output<Settings[Name]['form']>;
    const shown = name === 'JWT_SECRET' || name.endsWith('_URL') ? '' : ` (it is ${JSON.stringify(value)})`;
    mistakes.push(`${name} must be ${setting.expected}${shown}.`);
    return null;
  }

  const origins = read('ALLOWED_ORIGINS') ?? [];
  const config: Config = {
    port: read('PORT') ?? 0,
    host: read('HOST') ?? '::',
    dataDir: read('DATA_DIR') ?? '.data',
    databaseUrl: read('DATABASE_URL'),
    redisUrl: read('REDIS_URL'),
    redisPrefix: read('REDIS_PREFIX') ?? '',
    jwtSecret: read('JWT_SECRET'),
    accessTokenTtlSeconds: read('ACCESS_TOKEN_TTL') ?? 0,
    allowedOrigins: {
      any: origins.includes('*'),
      exact: new Set(origins),
      localhost: !production,
    },
    lobby: read('LOBBY')?.trim() || null,
    logLevel: read('LOG_LEVEL') ?? 'info',
    rateLimits: read('RATE_LIMITS') ?? true,
    trustedProxies: read('TRUSTED_PROXIES') ?? 0,
    graphiql: read('GRAPHIQL') ?? true,
    introspection: read('INTROSPECTION') ?? true,
    drainSeconds: read('DRAIN_SECONDS') ?? 0,
    production,
  };
  if (production && !env.DATABASE_URL)
    mistakes.push(
      'DATABASE_URL must be set with NODE_ENV=production: the embedded database is for laptops and demos.',
    );
  if (production && !env.JWT_SECRET)
    mistakes.push('JWT_SECRET must be set with NODE_ENV=production, to at least 32 bytes.');
  if (mistakes.length > 0) throw new StartupError(mistakes.join('\n'));
  return config;
}

function isOrigin(value: string): boolean {
  // `*` is a character of a host like any other: with patterns, nobody would be let in and nobody told.
  return URL.canParse(value) && new URL(value).origin === value && !value.includes('*');
}

function isPlain(value: string): boolean {
  return value.isWellFormed() && !/\p{Cc}/u.test(value);
}
