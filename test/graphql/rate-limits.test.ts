import { beforeAll, expect, inject, test } from 'vitest';
import { LOGIN_LIMITS } from '../../src/redis/login-throttle.js';
import { ACTION_LIMITS } from '../../src/redis/rate-limiter.js';
import { at, type Person, request, signUp } from '../helpers/client.js';
import { startParley, startSibling, type TestParley } from '../helpers/parley.js';

const env = { RATE_LIMITS: 'on' };
let parley: TestParley;
let alice: Person;

beforeAll(async () => {
  parley = await startParley({ env });
  alice = await signUp(parley.url);
});

const login = async (url: string, username: string, password = 'a wrong password') =>
  (
    await request<{ login: { __typename: string; retryAfterMs?: number } }>(
      url,
      `mutation ($input: LoginInput!) {
        login(input: $input) { __typename ... on RateLimitedError { retryAfterMs message } }
      }`,
      { input: { username, password } },
    )
  ).data?.login;

test('an address has three tries for a username, in any letter case, and then has to wait ever longer', async () => {
  const bob = await signUp(parley.url);
  const { points } = LOGIN_LIMITS.tries;
  // The wait before the first of these is 0: it begins with that try.
  for (let attempt = 0; attempt <= points; attempt += 1)
    expect(await login(parley.url, bob.username)).toEqual({ __typename: 'InvalidCredentialsError' });

  const refused = await login(parley.url, bob.username.toUpperCase(), 'correct horse battery');

  expect(refused).toMatchObject({ __typename: 'RateLimitedError' });
  expect(refused?.retryAfterMs).toBeGreaterThan(0);
  expect(refused?.retryAfterMs).toBeLessThanOrEqual(1000);
  expect(await login(parley.url, alice.username)).toEqual({ __typename: 'InvalidCredentialsError' });
});

test('an owner at another address logs in while 50 addresses guess', async () => {
  const behindProxy = await startSibling(parley, { env: { ...env, TRUSTED_PROXIES: '1' } });
  const bob = await signUp(parley.url);
  const loginFrom = async (address: string, password: string) => {
    const response = await fetch(behindProxy.url, {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'x-forwarded-for': address },
      body: JSON.stringify({
        query: `mutation ($input: LoginInput!) { login(input: $input) { __typename } }`,
        variables: { input: { username: bob.username, password } },
      }),
    });
    const { data } = (await response.json()) as { data: { login: { __typename: string } } };
    return data.login.__typename;
  };
  const addresses = Array.from({ length: 50 }, (_, index) => `198.51.100.${index}`);
  const guess = (address: string) => loginFrom(address, 'a wrong password');
  await Promise.all(addresses.map(guess));
  await Promise.all(addresses.map(guess));
  await Promise.all(addresses.map(guess));
  const fourth = await Promise.all(addresses.map(guess));
  expect(new Set(fourth)).toEqual(new Set(['RateLimitedError']));

  expect(await loginFrom('203.0.113.1', 'a typing mistake')).toBe('InvalidCredentialsError');
  expect(await loginFrom('203.0.113.1', 'another one')).toBe('InvalidCredentialsError');
  expect(await loginFrom('203.0.113.1', 'correct horse battery')).toBe('AuthPayload');
});

test('a successful login resets the tries of its address', async () => {
  const carol = await signUp(parley.url);
  for (let round = 0; round < 2; round += 1) {
    for (let attempt = 1; attempt < LOGIN_LIMITS.tries.points; attempt += 1)
      await login(parley.url, carol.username);
    expect(await login(parley.url, carol.username, 'correct horse battery')).toEqual({
      __typename: 'AuthPayload',
    });
  }
});

test('a field without a result union fails with RATE_LIMITED, and instances with Redis share the count', async () => {
  const sibling = await startSibling(parley, { env });
  const find = (person: Person) => person.request('query { user(username: "nobody-at-all") { id } }');
  for (let attempt = 0; attempt < ACTION_LIMITS.findUser.points; attempt += 1)
    expect((await find(alice)).errors).toBeUndefined();

  expect((await find(alice)).errors).toMatchObject([
    { extensions: { code: 'RATE_LIMITED', retryAfterMs: expect.any(Number) } },
  ]);
  const elsewhere = await find(at(sibling.url, alice));
  if (inject('pair') === 'cluster')
    expect(elsewhere.errors).toMatchObject([{ extensions: { code: 'RATE_LIMITED' } }]);
  else expect(elsewhere.errors).toBeUndefined();
});
