import { beforeAll, describe, expect, test } from 'vitest';
import { createTokens } from '../../src/auth/tokens.js';
import { type Person, signUp } from '../helpers/client.js';
import { exchange } from '../helpers/exchange.js';
import { startParley, type TestParley } from '../helpers/parley.js';
import { openRawSocket } from '../helpers/raw-socket.js';

/* Every way to send an access token, over HTTP and WebSocket, and what a client gets for any other. */

const QUERY = '{ viewer { user { username } } rooms { nodes { id } } }';

let parley: TestParley;
let alice: Person;

beforeAll(async () => {
  parley = await startParley();
  alice = await signUp(parley.url);
});

interface Outcome {
  readonly username: string | null;
  /** Of the field that requires a viewer. */
  readonly reason: string | null;
  readonly message: string | null;
}

function outcomeOf(text: string): Outcome {
  // Unchecked here: tests assert the outcome.
  const { data, errors } = JSON.parse(text) as {
    data: { viewer: { user: { username: string } } | null };
    errors?: { path: string[]; message: string; extensions: { reason: string } }[];
  };
  const error = errors?.find(({ path }) => path[0] === 'rooms');
  return {
    username: data.viewer?.user.username ?? null,
    reason: error?.extensions.reason ?? null,
    message: error?.message ?? null,
  };
}

async function overHttp(authorization: string | string[] | undefined): Promise<Outcome> {
  const { text } = await exchange(parley.url, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      ...(authorization === undefined ? {} : { authorization }),
    },
    body: JSON.stringify({ query: QUERY }),
  });
  return outcomeOf(text);
}

/** Resolves with the close code and reason if the server closes the socket instead. */
async function overWebSocket(
  payload: unknown,
  headers: Record<string, string> = {},
): Promise<Outcome | { code: number; reason: string }> {
  const socket = await openRawSocket(parley.webSocketUrl, { headers });
  socket.send({ type: 'connection_init', ...(payload === undefined ? {} : { payload }) });
  const acknowledged = socket.received('connection_ack').then(
    () => true,
    () => false,
  );
  if (!(await acknowledged)) return socket.closed;
  socket.subscribe('1', {}, QUERY);
  const [next] = await socket.received('next', '1');
  socket.destroy();
  return outcomeOf(JSON.stringify(next?.payload));
}

const signedIn = () => ({ username: alice.username, reason: null, message: null });
const ANONYMOUS = {
  username: null,
  reason: 'MISSING',
  message: 'This requires an access token. Sign in first.',
};
const MALFORMED = {
  username: null,
  reason: 'INVALID',
  message: expect.stringMatching(
    /send the accessToken.*`Authorization: Bearer <accessToken>`.*connectionParams/,
  ),
};
const MALFORMED_CLOSE = {
  code: 4401,
  reason: expect.stringContaining('authorization: "Bearer <accessToken>"'),
};

const SPELLINGS: Record<string, (token: string) => string> = {
  'with Bearer': (token) => `Bearer ${token}`,
  'with bearer': (token) => `bearer ${token}`,
  'with BEARER and several spaces': (token) => `BEARER   ${token}`,
  'without Bearer': (token) => token,
  'with Bearer twice': (token) => `Bearer bearer ${token}`,
  'with spaces around': (token) => `  Bearer ${token}  `,
  'in quotes': (token) => `"${token}"`,
  'in single quotes': (token) => `'${token}'`,
  'with Bearer, in quotes': (token) => `Bearer "${token}"`,
  'with Bearer in the quotes': (token) => `"Bearer ${token}"`,
};

const EMPTY = ['', ' ', '""', "''"];

const WITHOUT_TOKEN = [
  'Basic YWxpY2U6YQ==',
  'Digest username="alice"',
  'Bearer',
  'Bearer ""',
  'Bearer undefined',
  'Bearer null',
  'Bearer [object Object]',
  'undefined',
  'garbage',
  'Bearer a.b',
  'Bearer a.b.c.d',
  'Bearer a.b.c, Bearer a.b.c',
  'Bearer=a.b.c',
];

describe('a token', () => {
  test.each(Object.keys(SPELLINGS))('%s is accepted, over HTTP and WebSocket', async (name) => {
    const text = SPELLINGS[name]?.(alice.token) ?? '';
    expect(await overHttp(text)).toEqual(signedIn());
    expect(await overWebSocket({ authorization: text })).toEqual(signedIn());
    expect(await overWebSocket({ token: text })).toEqual(signedIn());
    expect(await overWebSocket(undefined, { authorization: text })).toEqual(signedIn());
  });

  test.each<[string, (token: string) => object]>([
    ['authorization', (token) => ({ authorization: `Bearer ${token}` })],
    ['Authorization', (token) => ({ Authorization: `Bearer ${token}` })],
    ['AUTHORIZATION', (token) => ({ AUTHORIZATION: `bearer ${token}` })],
    ['accessToken', (token) => ({ accessToken: token })],
    ['authToken', (token) => ({ authToken: token })],
    ['token', (token) => ({ token })],
    ['headers.authorization', (token) => ({ headers: { authorization: `Bearer ${token}` } })],
    ['headers.Authorization', (token) => ({ headers: { Authorization: token } })],
    ['token, beside an empty authorization', (token) => ({ authorization: '', token })],
    ['headers, beside null', (token) => ({ token: null, authToken: '', headers: { authorization: token } })],
    ['token, beside headers of another kind', (token) => ({ headers: 'x', token })],
    ['authorization, before an outdated token', (token) => ({ token: 'a.b.c', authorization: token })],
  ])('is accepted in connectionParams as %s', async (_name, params) => {
    expect(await overWebSocket(params(alice.token))).toEqual(signedIn());
    // The upgrade's header is used only without a token in connectionParams.
    expect(await overWebSocket(params(alice.token), { authorization: 'Bearer a.b.c' })).toEqual(signedIn());
  });

  test.each<[string, unknown]>([
    ['absent', undefined],
    ['empty', {}],
    ['without a token', { locale: 'en' }],
    ['with an empty token', { authorization: '', token: null, headers: {} }],
  ])('is accepted from the upgrade if connectionParams are %s', async (_name, params) => {
    const authorization = `Bearer ${alice.token}`;
    expect(await overWebSocket(params, { authorization })).toEqual(signedIn());
    expect(await overWebSocket(params)).toEqual(ANONYMOUS);
  });
});

describe('empty credentials', () => {
  test.each(EMPTY)('(%j) leave the client anonymous', async (text) => {
    expect(await overHttp(text)).toEqual(ANONYMOUS);
    for (const params of [
      { authorization: text },
      { accessToken: text },
      { authToken: text },
      { token: text },
      { headers: { authorization: text } },
    ])
      expect(await overWebSocket(params)).toEqual(ANONYMOUS);
    expect(await overWebSocket(undefined, { authorization: text })).toEqual(ANONYMOUS);
  });

  test('leave the client anonymous if they are absent', async () => {
    expect(await overHttp(undefined)).toEqual(ANONYMOUS);
    expect(await overWebSocket(undefined)).toEqual(ANONYMOUS);
  });
});

describe('credentials without a token', () => {
  test.each(WITHOUT_TOKEN)('(%s) fail with what is expected', async (text) => {
    expect(await overHttp(text)).toEqual(MALFORMED);
    expect(await overWebSocket({ authorization: text })).toEqual(MALFORMED_CLOSE);
    expect(await overWebSocket({ accessToken: text })).toEqual(MALFORMED_CLOSE);
    expect(await overWebSocket({ headers: { authorization: text } })).toEqual(MALFORMED_CLOSE);
    // The header of an upgrade may be for a proxy.
    expect(await overWebSocket(undefined, { authorization: text })).toEqual(MALFORMED);
  });

  test.each([1, true, {}, [], { token: 'x' }, ['Bearer a.b.c']])(
    'that are not a text (%j) fail with what is expected',
    async (value) => {
      for (const params of [
        { authorization: value },
        { token: value },
        { headers: { authorization: value } },
      ])
        expect(await overWebSocket(params)).toEqual(MALFORMED_CLOSE);
    },
  );

  test('in two headers fail with what is expected, even if each has a token', async () => {
    const authorization = [`Bearer ${alice.token}`, `Bearer ${alice.token}`];
    expect(await overHttp(authorization)).toEqual(MALFORMED);
  });

  test('are checked in linear time', async () => {
    const startedAt = performance.now();
    for (const text of [
      ' '.repeat(60_000),
      'bearer '.repeat(9000),
      'a.'.repeat(30_000),
      `"${'x'.repeat(60_000)}`,
    ])
      await overWebSocket({ authorization: `${text}!` });
    expect(performance.now() - startedAt).toBeLessThan(2000);
  });
});

test('a token that is not valid or has expired says so', async () => {
  const secret = parley.config.jwtSecret ?? '';
  const authentication = await createTokens(secret, 60).authenticate(alice.token);
  if (authentication.kind !== 'viewer') throw new Error('A token that was just issued must be valid.');
  const { token: expired } = await createTokens(secret, -60).issue(authentication.viewer);
  const forged = `${alice.token.slice(0, -4)}AAAA`;

  expect(await overHttp(`Bearer ${forged}`)).toEqual({
    username: null,
    reason: 'INVALID',
    message: 'The access token is invalid. Sign in again.',
  });
  expect(await overHttp(expired)).toMatchObject({ reason: 'EXPIRED' });
  for (const [token, code] of [
    [forged, 4401],
    [expired, 4403],
  ] as const) {
    expect(await overWebSocket({ accessToken: token })).toMatchObject({ code });
    expect(await overWebSocket(undefined, { authorization: `Bearer ${token}` })).toMatchObject({ code });
  }
});

test('no credentials are logged', () => {
  expect(parley.log.filter((line) => line.includes('eyJ') || line.includes('YWxpY2U6YQ'))).toEqual([]);
});
