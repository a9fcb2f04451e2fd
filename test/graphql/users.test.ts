import { randomUUID } from 'node:crypto';
import { request as httpRequest } from 'node:http';
import { json } from 'node:stream/consumers';
import { hash } from '@node-rs/argon2';
import { type JWTHeaderParameters, type JWTPayload, SignJWT, UnsecuredJWT } from 'jose';
import postgres from 'postgres';
import { beforeAll, expect, test } from 'vitest';
import { rowId } from '../../src/graphql/schema/global-id.js';
import { LOBBY, type Person, type Result, request, signUp } from '../helpers/client.js';
import { openStores } from '../helpers/database.js';
import { startParley, type TestParley } from '../helpers/parley.js';

let parley: TestParley;
let alice: Person;

beforeAll(async () => {
  parley = await startParley();
  alice = await signUp(parley.url, 'Alice');
});

const PASSWORD = 'correct horse battery';

interface AuthResult {
  readonly __typename: string;
  readonly message?: string;
  readonly issues?: readonly { field: string; code: string }[];
  readonly accessToken?: string;
  readonly accessTokenExpiresAt?: string;
  readonly accessTokenExpiresInMs?: number;
  readonly viewer?: { readonly user: { readonly username: string; readonly displayName: string } };
}

const AUTH_FIELDS = `
  __typename
  ... on AuthPayload { accessToken accessTokenExpiresAt accessTokenExpiresInMs viewer { user { username displayName } } }
  ... on UserError { message }`;

async function trySignUp(input: object): Promise<AuthResult> {
  const { data, errors } = await request<{ signUp: AuthResult }>(
    parley.url,
    `mutation ($input: SignUpInput!) {
      signUp(input: $input) { ${AUTH_FIELDS} ... on ValidationError { issues { field code } } }
    }`,
    { input: { password: PASSWORD, ...input } },
  );
  if (!data) throw new Error(JSON.stringify(errors));
  return data.signUp;
}

async function login(username: string, password = PASSWORD, token?: string): Promise<AuthResult> {
  const { data, errors } = await request<{ login: AuthResult }>(
    parley.url,
    `mutation ($input: LoginInput!) { login(input: $input) { ${AUTH_FIELDS} } }`,
    { input: { username, password } },
    token,
  );
  if (!data || errors) throw new Error(JSON.stringify(errors));
  return data.login;
}

const VIEWER = '{ __typename viewer { user { username } } }';
const signedInAs = (username: string) => ({ data: { __typename: 'Query', viewer: { user: { username } } } });
/** The response to an operation with a rejected token. Its public fields are still resolved. */
const refused = (reason: string) => ({
  data: { __typename: 'Query', viewer: null },
  errors: [expect.objectContaining({ path: ['viewer'], extensions: { code: 'UNAUTHENTICATED', reason } })],
});

test('signUp signs the user in, and the display name defaults to the username', async () => {
  const result = await trySignUp({ username: 'Zoe.de_la-Cruz9' });
  expect(result).toEqual({
    __typename: 'AuthPayload',
    accessToken: expect.any(String),
    accessTokenExpiresAt: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/),
    accessTokenExpiresInMs: expect.any(Number),
    viewer: { user: { username: 'Zoe.de_la-Cruz9', displayName: 'Zoe.de_la-Cruz9' } },
  });
  expect(result.accessTokenExpiresInMs).toBeGreaterThan(3_590_000);
  expect(result.accessTokenExpiresInMs).toBeLessThanOrEqual(3_600_000);
  expect(await request(parley.url, VIEWER, {}, result.accessToken)).toEqual(signedInAs('Zoe.de_la-Cruz9'));
});

test.each([
  [{ username: 'ab' }, ['username TOO_SHORT']],
  [{ username: 'x'.repeat(33) }, ['username TOO_LONG']],
  [{ username: 'two words' }, ['username INVALID_CHARACTER']],
  [{ username: 'semi;colon' }, ['username INVALID_CHARACTER']],
  [{ username: 'emoji🎉' }, ['username INVALID_CHARACTER']],
  [{ username: 'nul\0nul' }, ['username INVALID_CHARACTER']],
  [{ username: 'half\ud83c' }, ['username INVALID_CHARACTER']],
  [{ username: '' }, ['username TOO_SHORT']],
  [{ username: 'valid', password: '7 chars' }, ['password TOO_SHORT']],
  [{ username: 'valid', password: 'x'.repeat(129) }, ['password TOO_LONG']],
  [{ username: 'valid', password: 'half a pair \udf89' }, ['password INVALID_CHARACTER']],
  [{ username: 'valid', displayName: '  ' }, ['displayName TOO_SHORT']],
  [{ username: 'valid', displayName: '🎉'.repeat(65) }, ['displayName TOO_LONG']],
  [{ username: 'valid', displayName: 'two\nlines' }, ['displayName INVALID_CHARACTER']],
  [{ username: 'valid', displayName: 'a\u202eb' }, ['displayName INVALID_CHARACTER']],
  [{ username: 'valid', displayName: '\u2800' }, ['displayName TOO_SHORT']],
  [{ username: 'alice\ufe0f' }, ['username INVALID_CHARACTER']],
  [{ username: 'аlice' }, ['username INVALID_CHARACTER']],
  [
    { username: 'a', password: '', displayName: '' },
    ['username', 'password', 'displayName'].map((field) => `${field} TOO_SHORT`),
  ],
])('signing up with %j returns the violations %j', async (input, expected) => {
  const { __typename, issues } = await trySignUp(input);
  expect(__typename).toBe('ValidationError');
  expect(issues?.map(({ field, code }) => `${field} ${code}`)).toEqual(expected);
});

test('usernames can be of any script and have the maximum length', async () => {
  for (const username of ['Владимир', '山田太郎', 'هنية', `${'𠀋'.repeat(31)}z`, 'é'.repeat(32)])
    expect(await trySignUp({ username, displayName: null })).toMatchObject({ __typename: 'AuthPayload' });
  const shown = await trySignUp({ username: 'shown', displayName: ` ${'🎉'.repeat(64)} ` });
  expect(shown.viewer?.user.displayName).toBe('🎉'.repeat(64));
});

test.each([
  ['Bernadette', 'bERNADETTE'],
  ['ren\u00e9e', 'Rene\u0301e'],
  ['grossstraße', 'GROSSSTRASSE'],
  ['νίκος-ΟΔΟΣ', 'νίκος-οδος'],
])('%s and %s are the same username: the second is taken, and either logs in', async (first, second) => {
  expect(await trySignUp({ username: first })).toMatchObject({ __typename: 'AuthPayload' });
  expect(await trySignUp({ username: second })).toEqual({
    __typename: 'UsernameTakenError',
    message: expect.any(String),
  });
  for (const username of [first, second]) expect((await login(username)).viewer?.user.username).toBe(first);
});

test('a password is the same however its letters are composed', async () => {
  await trySignUp({ username: 'composed', password: 'caf\u00e9 au lait' });
  for (const password of ['caf\u00e9 au lait', 'cafe\u0301 au lait', 'caf\u00e9\u00a0au lait'])
    expect(await login('composed', password)).toMatchObject({ __typename: 'AuthPayload' });
});

test('an account of an older release logs in with its name and password, which is then hashed anew', async () => {
  await trySignUp({ username: 'older' });
  const sql = postgres(parley.database.url, { max: 1 });
  const asTyped = 'cafe\u0301 au lait';
  const older = await hash(asTyped);
  await sql`update users set username = 'ﬁrst', username_key = 'first', password_hash = ${older} where username = 'older'`;
  expect(await login('ﬁrst', 'caf\u00e9 au lait')).toMatchObject({ __typename: 'InvalidCredentialsError' });
  expect(await login('FIRST', asTyped)).toMatchObject({ viewer: { user: { username: 'ﬁrst' } } });
  for (const password of ['caf\u00e9 au lait', asTyped])
    expect(await login('ﬁrst', password)).toMatchObject({ __typename: 'AuthPayload' });
  await sql.end();
});

test('of ten concurrent sign-ups with one username, one succeeds', async () => {
  const names = Array.from({ length: 10 }, (_, index) => (index % 2 ? 'contested' : 'CONTESTED'));
  const results = await Promise.all(names.map((username) => trySignUp({ username })));
  expect(results.map(({ __typename }) => __typename).sort()).toEqual([
    'AuthPayload',
    ...Array(9).fill('UsernameTakenError'),
  ]);
});

test('a hash that took less work than new ones is replaced at the next login', async () => {
  await trySignUp({ username: 'cheap' });
  const sql = postgres(parley.database.url, { max: 1 });
  const cheap = await hash(PASSWORD, { memoryCost: 8192 });
  await sql`update users set password_hash = ${cheap} where username = 'cheap'`;
  const stored = async () => (await sql`select password_hash from users where username = 'cheap'`)[0];
  expect(await login('cheap', 'not the password')).toMatchObject({ __typename: 'InvalidCredentialsError' });
  expect(await stored()).toEqual({ password_hash: cheap });
  expect(await login('cheap')).toMatchObject({ __typename: 'AuthPayload' });
  expect(await stored()).not.toEqual({ password_hash: cheap });
  expect(await login('cheap')).toMatchObject({ __typename: 'AuthPayload' });
  await sql.end();
});

test.each([
  ['apple', 'аррӏе'],
  ['nana', 'ΝΑΝΑ'],
  ['Paypal', 'раураӏ'],
  ['ΑΒΒΑ', 'АВВА'],
])('%s is taken for %s, which looks like it', async (first, second) => {
  expect(await trySignUp({ username: first })).toMatchObject({ __typename: 'AuthPayload' });
  expect(await trySignUp({ username: second })).toMatchObject({ __typename: 'UsernameTakenError' });
});

test('names of ASCII characters may look alike', async () => {
  for (const username of ['Illinois', 'lllinois', '1llinois', 'modern', 'rnodern'])
    expect(await trySignUp({ username })).toMatchObject({ __typename: 'AuthPayload' });
});

test('a wrong password, an unknown username and an invalid username return the same error', async () => {
  const wrong = await login('Alice', 'not her password');
  expect(wrong).toEqual({ __typename: 'InvalidCredentialsError', message: expect.any(String) });
  for (const username of ['nobody', '', 'a b', 'x'.repeat(1000), 'nul\0nul'])
    expect(await login(username, PASSWORD)).toEqual(wrong);
  for (const password of ['', `${PASSWORD} `, PASSWORD.toUpperCase(), `${PASSWORD}\0`, 'x'.repeat(10_000)])
    expect(await login('Alice', password)).toEqual(wrong);
});

test('login takes as long for an unknown username as for a wrong password', async () => {
  const takes = async (username: string): Promise<number> => {
    const start = performance.now();
    await login(username, 'not the password');
    return performance.now() - start;
  };
  // Verifying the password takes nearly all of the time: without it, the response would always arrive in a fraction of it.
  // On a busy machine one of two requests may wait for something else, so one comparison of ten is enough.
  let isAlike = false;
  for (let count = 0; count < 10 && !isAlike; count += 1)
    isAlike = (await takes('nobody')) > (await takes('Alice')) / 2;
  expect(isAlike).toBe(true);
});

test('login ignores an expired or malformed token in the header, and resolves its result for the new viewer', async () => {
  for (const token of [await sign({ exp: 1 }), 'garbage', ''])
    expect(await login('alice', PASSWORD, token)).toMatchObject({
      __typename: 'AuthPayload',
      viewer: { user: { username: 'Alice' } },
    });
});

test('viewer is null without a token, without an error', async () => {
  expect(await request(parley.url, VIEWER)).toEqual({ data: { __typename: 'Query', viewer: null } });
});

/** A valid token, with the given claims, header or secret replaced. */
function sign(
  claims: Record<string, unknown> = {},
  header: JWTHeaderParameters = { alg: 'HS256' },
  secret: string = parley.config.jwtSecret ?? '',
): Promise<string> {
  return new SignJWT(claimsWith(claims)).setProtectedHeader(header).sign(new TextEncoder().encode(secret));
}

function claimsWith(claims: Record<string, unknown>): JWTPayload {
  const now = Math.floor(Date.now() / 1000);
  return {
    iss: 'parley',
    aud: 'parley-api',
    sub: rowId('User', alice.userId) ?? '',
    sid: randomUUID(),
    jti: randomUUID(),
    iat: now,
    exp: now + 600,
    ...claims,
  };
}

test('a token that is valid in every part is accepted', async () => {
  expect(await request(parley.url, VIEWER, {}, await sign())).toEqual(signedInAs('Alice'));
});

test.each<[string, () => string | Promise<string>]>([
  ['without exp', () => sign({ exp: undefined })],
  ['without jti', () => sign({ jti: undefined })],
  ['without sid', () => sign({ sid: undefined })],
  ['without sub', () => sign({ sub: undefined })],
  ['without aud', () => sign({ aud: undefined })],
  ['without iss', () => sign({ iss: undefined })],
  ['for another audience', () => sign({ aud: 'another-api' })],
  ['from another issuer', () => sign({ iss: 'another' })],
  ['whose sub is not an id', () => sign({ sub: "'; drop table users" })],
  ['that is not valid yet', () => sign({ nbf: Math.floor(Date.now() / 1000) + 600 })],
  ['with alg none', () => new UnsecuredJWT(claimsWith({})).encode()],
  ['with another alg and the same secret', () => sign({}, { alg: 'HS512' })],
  ['whose alg was changed to none', async () => swapHeader(await sign(), { alg: 'none' })],
  ['whose alg was changed to RS256', async () => swapHeader(await sign(), { alg: 'RS256' })],
  ['with another secret', () => sign({}, { alg: 'HS256' }, 'another secret, longer than 32 bytes too')],
  ['whose payload was replaced', async () => swapPayload(await sign())],
  ['expired and with another secret', () => sign({ exp: 1 }, { alg: 'HS256' }, 'x'.repeat(40))],
  ['that is malformed', () => 'garbage'],
  ['that is truncated', async () => (await sign()).slice(0, -2)],
  ['that is empty', () => ''],
])('a token %s is INVALID', async (_, token) => {
  expect(await request(parley.url, VIEWER, {}, await token())).toEqual(refused('INVALID'));
});

test('a token past its expiry is EXPIRED', async () => {
  const expired = await sign({ exp: Math.floor(Date.now() / 1000) - 1 });
  expect(await request(parley.url, VIEWER, {}, expired)).toEqual(refused('EXPIRED'));
});

function swapHeader(token: string, header: object): string {
  const [, payload, signature] = token.split('.');
  return [base64url(header), payload, signature].join('.');
}

function swapPayload(token: string): string {
  const [header, , signature] = token.split('.');
  return [header, base64url(claimsWith({})), signature].join('.');
}

const base64url = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');

/** Sends the header lines exactly as given: fetch would normalize them. */
function requestWithHeaders(headers: readonly string[]): Promise<unknown> {
  const body = JSON.stringify({ query: VIEWER });
  const own = ['Host', new URL(parley.url).host, 'Content-Type', 'application/json', 'Content-Length'];
  return new Promise((resolve, reject) => {
    const outgoing = httpRequest(
      parley.url,
      { method: 'POST', headers: [...own, `${body.length}`, ...headers] },
      (response) => json(response).then(resolve, reject),
    );
    outgoing.on('error', reject);
    outgoing.end(body);
  });
}

test('a header without a token, another scheme and two Authorization headers are INVALID, a bare token is accepted', async () => {
  const good = `Bearer ${alice.token}`;
  expect(await requestWithHeaders(['Authorization', good])).toEqual(signedInAs('Alice'));
  expect(await requestWithHeaders(['authorization', `bEARER  ${alice.token}`])).toEqual(signedInAs('Alice'));
  expect(await requestWithHeaders(['authorization', alice.token])).toEqual(signedInAs('Alice'));
  for (const value of ['Bearer', 'Bearer ', `Basic ${alice.token}`, `${good}, ${good}`])
    expect(await requestWithHeaders(['Authorization', value]), value).toEqual(refused('INVALID'));
  expect(await requestWithHeaders(['Authorization', good, 'Authorization', good])).toEqual(
    refused('INVALID'),
  );
  expect(await requestWithHeaders(['Authorization', good, 'authorization', 'Bearer other'])).toEqual(
    refused('INVALID'),
  );
});

test('without a token, every field fails with UNAUTHENTICATED and mutations change nothing', async () => {
  const missing = { code: 'UNAUTHENTICATED', reason: 'MISSING' };
  const queries = await request(
    parley.url,
    `{ user(username: "alice") { id } rooms { nodes { id } } node(id: "x") { id } room(id: "x") { id }
       roomMessages(roomId: "x") { nodes { id } } }`,
  );
  expect(queries.data).toEqual({ user: null, rooms: null, node: null, room: null, roomMessages: null });
  expect(queries.errors?.map(({ extensions }) => extensions)).toEqual(Array(5).fill(missing));
  for (const mutation of [
    'createRoom(input: { name: "room" }) { __typename }',
    'joinRoom(input: { roomId: "x" }) { __typename }',
    'sendMessage(input: { roomId: "x", text: "text" }) { __typename }',
    'updateProfile(input: {}) { __typename }',
  ]) {
    const { data, errors } = await request(parley.url, `mutation { ${mutation} }`);
    expect(data, mutation).toBeNull();
    expect(errors?.map(({ extensions }) => extensions)).toEqual([missing]);
  }
});

interface ProfileResult {
  readonly __typename: string;
  readonly viewer?: { readonly user: { readonly displayName: string; readonly avatarUrl: string | null } };
  readonly issues?: readonly { field: string; code: string }[];
}

async function updateProfile(person: Person, input: object): Promise<ProfileResult> {
  const { data, errors } = await person.request<{ updateProfile: ProfileResult }>(
    `mutation ($input: UpdateProfileInput!) {
      updateProfile(input: $input) {
        __typename
        ... on UpdateProfilePayload { viewer { user { displayName avatarUrl } } }
        ... on ValidationError { issues { field code } }
      }
    }`,
    { input },
  );
  if (!data) throw new Error(JSON.stringify(errors));
  return data.updateProfile;
}

test('updateProfile keeps omitted fields, removes avatarUrl if null, and keeps displayName if null', async () => {
  const person = await signUp(parley.url);
  const avatarUrl = 'https://pictures.example/a.png?size=64#top';
  const steps = [
    [
      { displayName: ' Ann ', avatarUrl },
      { displayName: 'Ann', avatarUrl },
    ],
    [{}, { displayName: 'Ann', avatarUrl }],
    [{ displayName: 'Bea' }, { displayName: 'Bea', avatarUrl }],
    [{ displayName: null }, { displayName: 'Bea', avatarUrl }],
    [{ avatarUrl: null }, { displayName: 'Bea', avatarUrl: null }],
  ] as const;
  for (const [input, user] of steps) {
    expect((await updateProfile(person, input)).viewer).toEqual({ user });
    const { data } = await alice.request(
      'query ($username: String!) { user(username: $username) { displayName avatarUrl } }',
      {
        username: person.username,
      },
    );
    expect(data).toEqual({ user });
  }
});

test.each([
  [{ displayName: '' }, 'displayName TOO_SHORT'],
  [{ displayName: 'x'.repeat(65) }, 'displayName TOO_LONG'],
  [{ displayName: 'a\0b' }, 'displayName INVALID_CHARACTER'],
  [{ avatarUrl: '' }, 'avatarUrl TOO_SHORT'],
  [{ avatarUrl: `https://a.example/${'x'.repeat(2048)}` }, 'avatarUrl TOO_LONG'],
  [{ avatarUrl: 'https://a.example/\0' }, 'avatarUrl INVALID_CHARACTER'],
  [{ avatarUrl: 'javascript:alert(1)' }, 'avatarUrl INVALID_FORMAT'],
  [{ avatarUrl: 'data:image/png;base64,AAAA' }, 'avatarUrl INVALID_FORMAT'],
  [{ avatarUrl: '/relative.png' }, 'avatarUrl INVALID_FORMAT'],
])('updating a profile with %j returns the violation %s', async (input, expected) => {
  const { __typename, issues } = await updateProfile(alice, input);
  expect(__typename).toBe('ValidationError');
  expect(issues?.map(({ field, code }) => `${field} ${code}`)).toEqual([expected]);
});

test('user finds a user by the complete username only, in any letter case', async () => {
  const find = async (username: string): Promise<Result<{ user: { id: string } | null }>> =>
    alice.request('query ($username: String!) { user(username: $username) { id } }', { username });
  for (const username of ['Alice', 'alice', 'ALICE', 'ａｌｉｃｅ'])
    expect(await find(username)).toEqual({ data: { user: { id: alice.userId } } });
  for (const username of ['alic', 'Alice ', 'ali%', 'al_ce', '', 'x'.repeat(10_000)])
    expect(await find(username)).toEqual({ data: { user: null } });
});

test('User and Viewer are separate nodes of one person, and only that person can fetch the Viewer', async () => {
  const bob = await signUp(parley.url);
  const { data } = await alice.request<{ viewer: { id: string } }>('{ viewer { id } }');
  const viewerId = data?.viewer.id ?? '';
  expect(viewerId).not.toBe(alice.userId);
  const node = (person: Person, id: string) =>
    person.request('query ($id: ID!) { node(id: $id) { __typename id ... on User { username } } }', { id });
  expect(await node(alice, viewerId)).toEqual({ data: { node: { __typename: 'Viewer', id: viewerId } } });
  expect(await node(bob, viewerId)).toEqual({ data: { node: null } });
  expect(await node(bob, alice.userId)).toEqual({
    data: { node: { __typename: 'User', id: alice.userId, username: 'Alice' } },
  });
  expect(
    await alice.request(
      `query ($user: ID!, $viewer: ID!) {
        user: node(id: $user) { __typename id } viewer: node(id: $viewer) { __typename id }
        again: node(id: $user) { __typename id }
      }`,
      { user: alice.userId, viewer: viewerId },
    ),
  ).toEqual({
    data: {
      user: { __typename: 'User', id: alice.userId },
      viewer: { __typename: 'Viewer', id: viewerId },
      again: { __typename: 'User', id: alice.userId },
    },
  });
});

test('the token of a user whose account has ended is INVALID', async () => {
  const gone = await signUp(parley.url);
  const stores = openStores(parley.database);
  expect(await stores.users.end(gone.username)).toBe(rowId('User', gone.userId));
  // The instance learns of it at its next tick.
  const list = '{ rooms(first: 1) { edges { cursor } } }';
  await expect.poll(async () => (await gone.request(list)).errors, { timeout: 5000 }).toBeDefined();

  for (const operation of [
    '{ viewer { id } }',
    'mutation { createRoom(input: { name: "x" }) { __typename } }',
    `mutation { joinRoom(input: { roomId: "${LOBBY}" }) { __typename } }`,
    'mutation { updateProfile(input: { displayName: "x" }) { __typename } }',
  ])
    expect((await gone.request(operation)).errors, operation).toMatchObject([
      { extensions: { code: 'UNAUTHENTICATED', reason: 'INVALID' } },
    ]);
  // Nobody can use the account again, find it, or take its name.
  const input = { username: gone.username, password: 'correct horse battery' };
  const typename = '{ __typename }';
  expect(
    await alice.request(
      `mutation ($login: LoginInput!, $signUp: SignUpInput!) { login(input: $login) ${typename} signUp(input: $signUp) ${typename} }`,
      { login: input, signUp: input },
    ),
  ).toEqual({
    data: { login: { __typename: 'InvalidCredentialsError' }, signUp: { __typename: 'UsernameTakenError' } },
  });
  expect(
    await alice.request(
      'query ($name: String!, $id: ID!) { user(username: $name) { id } node(id: $id) { id } }',
      {
        name: gone.username,
        id: gone.userId,
      },
    ),
  ).toEqual({ data: { user: null, node: null } });
  await stores.close();
});

test('an account cannot be deleted by hand, and the refusal names the command that ends it', async () => {
  const person = await signUp(parley.url);
  const sql = postgres(parley.database.url, { max: 1 });
  await expect(sql`delete from users where username = ${person.username}`).rejects.toThrow(
    `run \`npm run end-account -- ${person.username}\``,
  );
  await sql.end();
  expect((await person.request('{ viewer { id } }')).errors).toBeUndefined();
});
