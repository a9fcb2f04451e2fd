import { z } from 'zod';
import { PostgresUrlError, parsePostgresUrl } from '../lib/postgres-url.js';
import { parseRedisUrl, RedisUrlError } from '../lib/redis-url.js';
import type { ShareLimits } from '../lib/share.js';

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
/** Null if not set. The value may hold a password, so it is never shown. */
const secret = (form: z.ZodType<string, string>) => form.nullable().default(null).meta({ secret: true });
const origins = z
  .string()
  .transform((value) => value.split(',').map((origin) => origin.trim()))
  .refine(
    (list) => list.every((origin) => origin === '*' || isOrigin(origin)),
    'a comma-separated list of origins such as https://app.example.com, without a path, or *',
  );

/** A list such as `user=50,address=500`. What it does not name keeps its default. */
const share = (defaults: ShareLimits) =>
  z
    .string()
    .regex(
      /^(?:(?:instance|address|anonymous|user)=[1-9]\d{0,8}(?:,(?!$)|$))+$/,
      'a list such as user=50,address=500, of whole numbers from 1 for instance, address, anonymous and user',
    )
    .transform((value): ShareLimits => {
      const pairs = value.split(',').map((pair) => pair.split('='));
      return { ...defaults, ...Object.fromEntries(pairs.map(([scope, max]) => [scope, Number(max)])) };
    })
    .default(defaults);

/** One row per setting: its form, what is expected, and its default. The README's table has the same rows. */
export const settings = z.object({
  PORT: integer(0, 65_535, 'a port number from 0 to 65535').default(4000),
  HOST: z.string().default('::'),
  DATA_DIR: z.string().default('.data'),
  DATABASE_URL: secret(z.string().superRefine(refineBy(parsePostgresUrl, PostgresUrlError))),
  DATABASE_CONNECTIONS: integer(2, 200, 'a whole number from 2 to 200').default(10),
  REDIS_URL: secret(z.string().superRefine(refineBy(parseRedisUrl, RedisUrlError))),
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
  METRICS: onOff.optional(),
  METRICS_PORT: integer(1, 65_535, 'a port number from 1 to 65535').nullable().default(null),
  OTEL_EXPORTER_OTLP_ENDPOINT: z
    .url({ protocol: /^https?$/, error: 'a URL such as http://localhost:4318' })
    .nullable()
    .default(null),
  MAX_OPERATION_COST: integer(100, 1_000_000, 'a whole number from 100 to 1000000').default(5000),
  MAX_CONNECTIONS: share({ instance: 20_000, address: 2_000, anonymous: 200, user: 100 }),
  MAX_OPERATIONS: share({ instance: 2_000, address: 500, anonymous: 50, user: 200 }),
  MAX_SUBSCRIPTIONS: share({ instance: 100_000, address: 10_000, anonymous: 50, user: 1_000 }),
  MAX_UNSENT_MIB: share({ instance: 256, address: 128, anonymous: 16, user: 32 }),
  KEEP_ALIVE_SECONDS: integer(1, 3600, 'a whole number of seconds from 1 to 3600').default(130),
  DRAIN_SECONDS: integer(0, 600, 'a whole number of seconds from 0 to 600').default(5),
});

/** A check by a parser, whose error names the mistake. */
function refineBy(parse: (value: string) => unknown, ParseError: new (...args: never[]) => Error) {
  return (value: string, context: z.RefinementCtx): void => {
    try {
      parse(value);
    } catch (error) {
      if (!(error instanceof ParseError)) throw error;
      context.addIssue({ code: 'custom', message: error.message });
    }
  };
}

/** Of any scheme: apps have origins such as `capacitor://localhost`. A `*` in a host would match no page. */
function isOrigin(value: string): boolean {
  return /^[a-z][a-z\d+.-]*:\/\/[^/?#\s*@]+$/i.test(value) && URL.canParse(value);
}

function isPlain(value: string): boolean {
  return value.isWellFormed() && !/\p{Cc}/u.test(value);
}
