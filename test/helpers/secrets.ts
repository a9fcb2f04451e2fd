import type { Sql } from 'postgres';
import { expect } from 'vitest';
import { createTokens } from '../../src/auth/tokens.js';
import { newId } from '../../src/domain/id.js';
import { LOBBY, MESSAGE_ADDED, request } from './client.js';
import { openRawSocket, openSocketOf } from './raw-socket.js';

const PASSWORD = 'the-right-password-of-alice';
const WRONG_PASSWORD = 'a-wrong-password-of-alice';

const SIGN_UP =
  'mutation ($input: SignUpInput!) { signUp(input: $input) { __typename ... on AuthPayload { accessToken } } }';
const LOGIN =
  'mutation ($input: LoginInput!) { login(input: $input) { __typename ... on AuthPayload { accessToken } } }';

/** The example in the message about an invalid DATABASE_URL: a URL with a password that is no secret. */
const EXAMPLE_URL = 'postgres://user:password@localhost:5432/parley';

/** The lines of the output that contain a secret. */
export function linesWithSecrets(output: string, secrets: readonly string[]): string[] {
  const forms = secrets.flatMap((secret) => [
    secret,
    encodeURIComponent(secret),
    Buffer.from(secret).toString('base64url').slice(0, -2),
  ]);
  /** Hashes, tokens, and passwords in a URL. */
  const patterns = [/\$argon2/, /eyJ[\w-]{10,}/, /:\/\/[^/\s"]*:[^/\s"]+@/];
  return output
    .replaceAll(EXAMPLE_URL, '')
    .split('\n')
    .filter(
      (line) => forms.some((form) => line.includes(form)) || patterns.some((pattern) => pattern.test(line)),
    );
}

/** Uses tokens and passwords in all valid and invalid ways of clients. Returns the secrets that were used. */
export async function useEverySecret(url: string, jwtSecret: string): Promise<string[]> {
  const input = { username: 'alice', password: PASSWORD };
  const signedUp = await request<{ signUp: { accessToken: string } }>(url, SIGN_UP, { input });
  const good = signedUp.data?.signUp.accessToken ?? '';
  expect(good).toMatch(/^eyJ/);
  const viewer = { userId: newId(), sessionId: newId() };
  const { token: expired } = await createTokens(jwtSecret, -60).issue(viewer);
  const { token: foreign } = await createTokens(`not ${jwtSecret}`, 60).issue(viewer);

  for (const [query, variables] of [
    [SIGN_UP, { input }],
    [SIGN_UP, { input: { username: PASSWORD.repeat(2), password: `${PASSWORD}\0` } }],
    [SIGN_UP, { input: { ...input, pass: PASSWORD } }],
    [SIGN_UP, { input: PASSWORD }],
    [LOGIN, { input }],
    [LOGIN, { input: { ...input, password: WRONG_PASSWORD } }],
    [LOGIN, { input: { username: 'nobody', password: WRONG_PASSWORD } }],
    [`{ login(password: "${PASSWORD}") }`, {}],
    [`{ login(password: "${PASSWORD} }`, {}],
  ] as const)
    await request(url, query, variables, good);

  const tokens = [good, expired, foreign, `${good}x`, 'garbage-instead-of-a-token'];
  const webSocketUrl = url.replace('http', 'ws');
  for (const token of tokens) {
    await request(url, '{ viewer { id } }', {}, token);
    await fetch(`${url}?query={__typename}&access_token=${token}`, { headers: { authorization: token } });
    for (const payload of [
      { authorization: `Bearer ${token}` },
      { authToken: token },
      { token: { token } },
    ]) {
      const socket = await openRawSocket(`${webSocketUrl}?access_token=${token}`);
      socket.send({ type: 'connection_init', payload });
      // The socket is closed if the token is invalid.
      await socket.received('connection_ack').catch(() => {});
      // Each of these closes the socket: they are invalid, or must not be sent twice.
      socket.send({ type: 'connection_init', payload }, `{"type":"${token}`, {
        type: token,
        id: token,
        payload,
      });
      await socket.closed;
    }
  }

  const socket = await openSocketOf({ token: good }, webSocketUrl);
  socket.subscribe('messages', { roomId: LOBBY }, MESSAGE_ADDED);
  socket.subscribe('login', { input: { ...input, password: WRONG_PASSWORD } }, LOGIN);
  await socket.received('complete', 'login');
  socket.destroy();
  return [PASSWORD, WRONG_PASSWORD, jwtSecret, ...tokens];
}

/** Causes unexpected errors: the database refuses a new user, then has another schema than the code expects. */
export async function failUnexpectedly(url: string, sql: Sql): Promise<void> {
  await sql`create function refuse() returns trigger language plpgsql as 'begin raise exception ''no''; end'`;
  await sql`create trigger refuse before insert on users for each row execute function refuse()`;
  const refused = await request(url, SIGN_UP, { input: { username: 'refused', password: PASSWORD } });
  expect(refused.errors).toMatchObject([{ extensions: { code: 'INTERNAL' } }]);
  await sql`alter table users rename column avatar_url to picture`;
  const input = { username: 'alice', password: PASSWORD };
  const { errors } = await request(url, LOGIN, { input });
  expect(errors).toMatchObject([{ extensions: { code: 'INTERNAL' } }]);
}

export async function hashesIn(sql: Sql): Promise<string[]> {
  const rows = await sql<{ password_hash: string }[]>`select password_hash from users`;
  return rows.map(({ password_hash }) => password_hash);
}
