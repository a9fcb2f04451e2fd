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
