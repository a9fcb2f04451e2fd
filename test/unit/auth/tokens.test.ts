import { createHmac } from 'node:crypto';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { createTokens } from '../../../src/auth/tokens.js';

const SECRET = 'a secret for tests, longer than 32 bytes';
const TTL_SECONDS = 60;
const viewer = {
  userId: '0190b1b0-0000-7000-8000-000000000001',
  sessionId: '0190b1b0-0000-7000-8000-000000000002',
};

beforeEach(() => {
  vi.useFakeTimers({ now: 1_800_000_000_000, toFake: ['Date'] });
});
afterEach(() => {
  vi.useRealTimers();
});

test('a token is valid until the moment it expires, however often it was verified before', async () => {
  const tokens = createTokens(SECRET, TTL_SECONDS);
  const { token, expiresAt } = await tokens.issue(viewer);
  const valid = { kind: 'viewer', viewer, expiresAt: expiresAt.getTime() };

  expect(await tokens.authenticate(token)).toEqual(valid);
  vi.setSystemTime(expiresAt.getTime() - 1);
  expect(await tokens.authenticate(token)).toEqual(valid);
  vi.setSystemTime(expiresAt);
  expect(await tokens.authenticate(token)).toEqual({ kind: 'expired' });
  expect(await tokens.authenticate(token)).toEqual({ kind: 'expired' });
});

test('a token that differs from a valid one is invalid, before and after the valid one is cached', async () => {
  const tokens = createTokens(SECRET, TTL_SECONDS);
  const { token } = await tokens.issue(viewer);
  const [header = '', payload = '', signature = ''] = token.split('.');
  const claims = JSON.parse(Buffer.from(payload, 'base64url').toString());
  const forgedClaims = { ...claims, sub: viewer.sessionId };
  const forged = [header, Buffer.from(JSON.stringify(forgedClaims)).toString('base64url'), signature].join(
    '.',
  );

  for (let time = 1; time <= 2; time++) {
    expect(await tokens.authenticate(forged)).toEqual({ kind: 'invalid' });
    expect(await tokens.authenticate(`${token}A`)).toEqual({ kind: 'invalid' });
    expect(await tokens.authenticate(token)).toMatchObject({ kind: 'viewer' });
  }
  expect(await createTokens(`another ${SECRET}`, TTL_SECONDS).authenticate(token)).toEqual({
    kind: 'invalid',
  });
});

/** A token with these claims and headers; those of a good one by default. */
function sign(claims: object = {}, header: object = {}, secret = SECRET): string {
  const encode = (part: object) => Buffer.from(JSON.stringify(part)).toString('base64url');
  const now = Math.floor(Date.now() / 1000);
  const good = {
    iss: 'parley',
    aud: 'parley-api',
    sub: viewer.userId,
    sid: viewer.sessionId,
    iat: now,
    exp: now + TTL_SECONDS,
    jti: 'id',
  };
  const input = `${encode({ alg: 'HS256', ...header })}.${encode({ ...good, ...claims })}`;
  return `${input}.${createHmac('sha256', secret).update(input).digest('base64url')}`;
}

test('a token that another program signs with the secret is accepted', async () => {
  expect(await createTokens(SECRET, TTL_SECONDS).authenticate(sign())).toMatchObject({
    kind: 'viewer',
    viewer,
  });
});

const withoutSignature = (token: string): string => token.slice(0, token.lastIndexOf('.') + 1);
const invalid: Readonly<Record<string, () => string>> = {
  'no algorithm': () => withoutSignature(sign({}, { alg: 'none' })),
  'no algorithm, in other letters': () => withoutSignature(sign({}, { alg: 'nOnE' })),
  'no algorithm, but a signature': () => sign({}, { alg: 'none' }),
  'another algorithm': () => sign({}, { alg: 'HS512' }),
  'an asymmetric algorithm': () => sign({}, { alg: 'RS256' }),
  'an unknown critical header': () => sign({}, { crit: ['unknown'], unknown: true }),
  'another secret': () => sign({}, {}, `another ${SECRET}`),
  'an empty signature': () => withoutSignature(sign()),
  'no expiry': () => sign({ exp: undefined }),
  'a text as expiry': () => sign({ exp: '9999999999' }),
  'no subject': () => sign({ sub: undefined }),
  'a subject that is no id': () => sign({ sub: 'admin' }),
  'no session': () => sign({ sid: undefined }),
  'no id': () => sign({ jti: undefined }),
  'another issuer': () => sign({ iss: 'another' }),
  'no issuer': () => sign({ iss: undefined }),
  'another audience': () => sign({ aud: 'another' }),
  'no audience': () => sign({ aud: undefined }),
  'a beginning in the future': () => sign({ nbf: Math.floor(Date.now() / 1000) + 100 }),
  'a blank in its signature': () => sign().replace(/.{5}$/, (end) => ` ${end}`),
  'a tab in its payload': () => sign().replace('.', '.\t'),
  'a line break at its end': () => `${sign()}\n`,
  padding: () => `${sign()}=`,
  'the alphabet of plain base64': () =>
    sign({ jti: '\u00ff\u00ff\u00ff\u00fe' }).replaceAll('_', '/').replaceAll('-', '+'),
  'other bits at the end of its signature': () =>
    sign().replace(/.$/, (last) => String.fromCharCode(last.charCodeAt(0) + 1)),
  'four parts': () => `${sign()}.x`,
  'two parts': () => sign().slice(0, sign().lastIndexOf('.')),
  'more than 4 KB': () => sign({ padding: 'x'.repeat(4096) }),
};
test.each(Object.keys(invalid))('a token with %s is invalid', async (name) => {
  const tokens = createTokens(SECRET, TTL_SECONDS);
  const token = invalid[name]?.() ?? '';
  for (let time = 1; time <= 2; time += 1)
    expect(await tokens.authenticate(token)).toEqual({ kind: 'invalid' });
});

test('a token of almost 4 KB is accepted', async () => {
  const token = sign({ padding: 'x'.repeat(2700) });
  expect(token.length).toBeGreaterThan(3900);
  expect(await createTokens(SECRET, TTL_SECONDS).authenticate(token)).toMatchObject({ kind: 'viewer' });
});
