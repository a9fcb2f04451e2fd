import { expect, inject, test } from 'vitest';
import { connect, LOBBY, page, request, send, signUp, subscribe } from '../helpers/client.js';
import { startPostgresVersion } from '../helpers/postgres-versions.js';
import { runParley } from '../helpers/process.js';

/** The versions of Postgres that people run, from the npm registry. */
const ALL = [
  '13.23.0-beta.16',
  '14.23.0-beta.17',
  '15.18.0-beta.17',
  '16.14.0-beta.17',
  '17.10.0-beta.17',
  '18.4.0-beta.17',
];
/** All other tests run on the newest one. */
const VERSIONS =
  process.env.POSTGRES_VERSIONS === 'all' ? ALL : ALL.filter((version) => /^1[35]/.test(version));
const TOO_OLD = '12.22.0-beta.15';

const settings = (url: string, prefix: string) => ({
  DATABASE_URL: url,
  REDIS_URL: inject('redisUrl'),
  REDIS_PREFIX: `versions-${prefix}`,
  JWT_SECRET: 'a secret for tests, longer than 32 bytes',
  RATE_LIMITS: 'off',
  NODE_ENV: 'production',
});

const runs = test.runIf(process.platform === 'linux' && process.arch === 'x64');

runs.each(VERSIONS)(
  'Postgres %s stores, pages and delivers, and a second start finds everything',
  async (version) => {
    const postgres = await startPostgresVersion(version);
    const parley = await runParley(settings(postgres.url, version));
    const { url } = await parley.ready;
    const alice = await signUp(url, 'Zoë');
    const { liveCursor } = await page(alice, LOBBY);
    const subscription = subscribe(
      connect(url.replace('http', 'ws'), { token: alice.token }),
      LOBBY,
      liveCursor,
    );
    const sent = [await send(alice, LOBBY, 'one'), await send(alice, LOBBY, 'two')];
    expect(await subscription.received(2)).toEqual(sent);
    expect(await parley.stop()).toEqual({ code: 0, signal: null });

    const again = await runParley(settings(postgres.url, version));
    const { url: next } = await again.ready;
    expect(
      (
        await page(
          { ...alice, request: (query, variables) => request(next, query, variables, alice.token) },
          LOBBY,
        )
      ).edges.slice(-2),
    ).toEqual(sent);
    await again.stop();
    await postgres.stop();
  },
  120_000,
);

runs(
  'an older Postgres is refused',
  async () => {
    const postgres = await startPostgresVersion(TOO_OLD);
    const parley = await runParley(settings(postgres.url, TOO_OLD));
    expect(await parley.exited).toEqual({ code: 1, signal: null });
    expect(parley.output().trim()).toBe('The database server is Postgres 12: use version 13 or newer.');
    await postgres.stop();
  },
  120_000,
);
