import { expect, test } from 'vitest';
import { readConfig, settingNames } from '../../../src/config/index.js';
import { StartupError } from '../../../src/startup-error.js';

const SECRET = 'thirty-two bytes or more, so it is good enough';

/** The lines of the error that these settings cause, one per mistake. */
function mistakes(env: Record<string, string>): string[] {
  try {
    readConfig(env);
    return [];
  } catch (error) {
    if (!(error instanceof StartupError)) throw error;
    return error.message.split('\n');
  }
}

test('every setting has its documented default', () => {
  expect(readConfig({})).toEqual({
    port: 4000,
    host: '::',
    dataDir: '.data',
    databaseUrl: null,
    databaseConnections: 10,
    redisUrl: null,
    redisPrefix: 'parley',
    jwtSecret: null,
    accessTokenTtlSeconds: 3600,
    allowedOrigins: { any: false, exact: new Set(), local: true },
    lobby: 'Lobby',
    logLevel: 'info',
    rateLimits: true,
    trustedProxies: 0,
    keepAliveSeconds: 130,
    drainSeconds: 5,
    graphiql: true,
    introspection: true,
    metrics: true,
    metricsPort: null,
    otlpEndpoint: null,
    maxOperationCost: 5000,
    maxConnections: { instance: 20_000, address: 2000, anonymous: 200, user: 100 },
    maxOperations: { instance: 2000, address: 500, anonymous: 50, user: 200 },
    maxSubscriptions: { instance: 100_000, address: 10_000, anonymous: 50, user: 1000 },
    maxUnsentMib: { instance: 256, address: 128, anonymous: 16, user: 32 },
    production: false,
  });
});

test('every setting is read', () => {
  const env = {
    PORT: '0',
    HOST: '127.0.0.1',
    DATA_DIR: '/var/lib/parley',
    DATABASE_URL: 'postgresql://parley:pw@db/parley',
    DATABASE_CONNECTIONS: '20',
    REDIS_URL: 'rediss://cache:6380/2',
    REDIS_PREFIX: 'chat.eu-1_b',
    JWT_SECRET: SECRET,
    ACCESS_TOKEN_TTL: '60',
    ALLOWED_ORIGINS: 'https://a.example, http://b.example:8080',
    LOBBY: ' Halle ',
    LOG_LEVEL: 'silent',
    RATE_LIMITS: 'off',
    TRUSTED_PROXIES: '2',
    GRAPHIQL: 'off',
    INTROSPECTION: 'off',
    METRICS: 'on',
    METRICS_PORT: '9464',
    OTEL_EXPORTER_OTLP_ENDPOINT: 'http://collector:4318',
    MAX_OPERATION_COST: '200',
    MAX_CONNECTIONS: 'user=5,address=6,anonymous=7,instance=8',
    MAX_OPERATIONS: 'user=9',
    MAX_SUBSCRIPTIONS: 'instance=10,user=11',
    MAX_UNSENT_MIB: 'anonymous=1',
    KEEP_ALIVE_SECONDS: '620',
    DRAIN_SECONDS: '60',
  };
  expect(Object.keys(env)).toEqual(settingNames);
  expect(readConfig({ ...env, NODE_ENV: 'production' })).toEqual({
    port: 0,
    host: '127.0.0.1',
    dataDir: '/var/lib/parley',
    databaseUrl: env.DATABASE_URL,
    databaseConnections: 20,
    redisUrl: env.REDIS_URL,
    redisPrefix: 'chat.eu-1_b',
    jwtSecret: SECRET,
    accessTokenTtlSeconds: 60,
    allowedOrigins: {
      any: false,
      exact: new Set(['https://a.example', 'http://b.example:8080']),
      local: false,
    },
    lobby: 'Halle',
    logLevel: 'silent',
    rateLimits: false,
    trustedProxies: 2,
    keepAliveSeconds: 620,
    drainSeconds: 60,
    graphiql: false,
    introspection: false,
    metrics: true,
    metricsPort: 9464,
    otlpEndpoint: 'http://collector:4318',
    maxOperationCost: 200,
    maxConnections: { instance: 8, address: 6, anonymous: 7, user: 5 },
    maxOperations: { instance: 2000, address: 500, anonymous: 50, user: 9 },
    maxSubscriptions: { instance: 10, address: 10_000, anonymous: 50, user: 11 },
    maxUnsentMib: { instance: 256, address: 128, anonymous: 1, user: 32 },
    production: true,
  });
});

test('an empty setting counts as not set', () => {
  const empty = Object.fromEntries(settingNames.map((name) => [name, '']));
  expect(readConfig({ ...empty, LOBBY: 'Lobby' })).toEqual(readConfig({}));
});

test('an empty or blank LOBBY means no lobby', () => {
  expect(readConfig({ LOBBY: '' }).lobby).toBeNull();
  expect(readConfig({ LOBBY: '  ' }).lobby).toBeNull();
});

test.each([
  ['PORT', '65536'],
  ['PORT', '-1'],
  ['PORT', '80.5'],
  ['PORT', '0x50'],
  ['PORT', 'http'],
  ['DATABASE_URL', 'mysql://db/parley'],
  ['DATABASE_URL', 'db'],
  ['DATABASE_CONNECTIONS', '1'],
  ['DATABASE_CONNECTIONS', 'many'],
  ['REDIS_URL', 'https://cache'],
  ['REDIS_PREFIX', 'a b'],
  ['REDIS_PREFIX', 'a:b'],
  ['REDIS_PREFIX', 'x'.repeat(65)],
  ['JWT_SECRET', 'x'.repeat(31)],
  ['ACCESS_TOKEN_TTL', '0'],
  ['ACCESS_TOKEN_TTL', '1h'],
  ['ALLOWED_ORIGINS', 'app.example.com'],
  ['ALLOWED_ORIGINS', 'https://app.example.com/'],
  ['ALLOWED_ORIGINS', 'https://a.example,'],
  ['ALLOWED_ORIGINS', 'https://*.example.com'],
  ['LOBBY', 'x'.repeat(81)],
  ['LOBBY', 'two\nlines'],
  ['LOG_LEVEL', 'loud'],
  ['RATE_LIMITS', 'no'],
  ['TRUSTED_PROXIES', 'all'],
  ['ALLOWED_ORIGINS', 'capacitor:localhost'],
  ['ALLOWED_ORIGINS', 'capacitor://localhost/app'],
  ['ALLOWED_ORIGINS', 'https://user@a.example'],
  ['ALLOWED_ORIGINS', 'null'],
  ['KEEP_ALIVE_SECONDS', '0'],
  ['DRAIN_SECONDS', '601'],
  ['GRAPHIQL', 'true'],
  ['INTROSPECTION', '0'],
  ['METRICS', 'yes'],
  ['METRICS_PORT', '0'],
  ['OTEL_EXPORTER_OTLP_ENDPOINT', 'collector:4318'],
  ['MAX_OPERATION_COST', '99'],
  ['MAX_OPERATION_COST', 'unlimited'],
  ['MAX_CONNECTIONS', '100'],
  ['MAX_CONNECTIONS', 'user=0'],
  ['MAX_CONNECTIONS', 'user=5,'],
  ['MAX_CONNECTIONS', 'user=5address=6'],
  ['MAX_OPERATIONS', 'room=5'],
  ['MAX_SUBSCRIPTIONS', 'user=-1'],
  ['MAX_UNSENT_MIB', 'user=1.5'],
])('a wrong %s (%j) is reported in one line that names it', (name, value) => {
  expect(mistakes({ [name]: value })).toEqual([expect.stringMatching(new RegExp(`^${name} must be .+\\.$`))]);
});

test('all mistakes are reported at once', () => {
  const lines = mistakes({ PORT: 'x', LOG_LEVEL: 'x', GRAPHIQL: 'x' });
  expect(lines.map((line) => line.split(' ')[0])).toEqual(['PORT', 'LOG_LEVEL', 'GRAPHIQL']);
});

test('a wrong value is shown unless it may hold a secret', () => {
  expect(mistakes({ PORT: 'eighty' })).toEqual([expect.stringContaining('"eighty"')]);
  const secrets = {
    JWT_SECRET: 'hunter2',
    DATABASE_URL: 'mysql://user:hunter2@db',
    REDIS_URL: 'http://:hunter2@cache',
  };
  const lines = mistakes(secrets);
  expect(lines).toHaveLength(3);
  expect(lines.join()).not.toContain('hunter2');
});

test('LOBBY is limited in characters, JWT_SECRET in bytes', () => {
  expect(readConfig({ LOBBY: '🏛'.repeat(80) }).lobby).toBe('🏛'.repeat(80));
  expect(readConfig({ JWT_SECRET: 'ä'.repeat(16) }).jwtSecret).toBe('ä'.repeat(16));
});

test('production requires DATABASE_URL and JWT_SECRET', () => {
  expect(mistakes({ NODE_ENV: 'production' })).toEqual([
    expect.stringMatching(/^DATABASE_URL must be set/),
    expect.stringMatching(/^JWT_SECRET must be set/),
  ]);
  expect(
    mistakes({ NODE_ENV: 'production', DATABASE_URL: 'postgres://db/parley', JWT_SECRET: 'short' }),
  ).toEqual([expect.stringMatching(/^JWT_SECRET must be at least 32 bytes long: .+\.$/)]);
  expect(mistakes({ NODE_ENV: 'development' })).toEqual([]);
});

test('ALLOWED_ORIGINS is a list of origins, or * for any', () => {
  expect(readConfig({ ALLOWED_ORIGINS: 'https://a.example' }).allowedOrigins).toEqual({
    any: false,
    exact: new Set(['https://a.example']),
    local: true,
  });
  expect(readConfig({ ALLOWED_ORIGINS: '*' }).allowedOrigins.any).toBe(true);
});

test('GraphiQL and introspection are off by default in production', () => {
  const production = {
    NODE_ENV: 'production',
    DATABASE_URL: 'postgres://db/parley',
    JWT_SECRET: 'x'.repeat(32),
  };
  expect(readConfig({})).toMatchObject({ graphiql: true, introspection: true });
  expect(readConfig(production)).toMatchObject({ graphiql: false, introspection: false });
  expect(readConfig({ ...production, GRAPHIQL: 'on', INTROSPECTION: 'on' })).toMatchObject({
    graphiql: true,
    introspection: true,
  });
});

test('origins of any scheme are normalized', () => {
  const ALLOWED_ORIGINS =
    'Capacitor://localhost, tauri://localhost, chrome-extension://ABC, HTTPS://App.Example.com:443';
  expect([...readConfig({ ALLOWED_ORIGINS }).allowedOrigins.exact]).toEqual([
    'capacitor://localhost',
    'tauri://localhost',
    'chrome-extension://abc',
    'https://app.example.com',
  ]);
});
