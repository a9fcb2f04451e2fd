import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { requireViewer } from '../../../src/domain/user.js';

const viewer = { userId: 'alice', sessionId: 'her session' };
const expiresAt = 1_800_000_000_000;
const authentication = { kind: 'viewer', viewer, expiresAt } as const;

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['Date'] });
});
afterEach(() => {
  vi.useRealTimers();
});

test('returns the viewer until the token expires', () => {
  vi.setSystemTime(expiresAt - 1);
  expect(requireViewer(authentication)).toEqual(viewer);
});

test.each([0, 1, 3_600_000])('rejects a token %i ms after its expiry', (ms) => {
  vi.setSystemTime(expiresAt + ms);
  expect(() => requireViewer(authentication)).toThrow(
    expect.objectContaining({ name: 'UnauthenticatedError', reason: 'EXPIRED' }),
  );
});

test.each([
  ['missing', 'MISSING'],
  ['invalid', 'INVALID'],
  ['expired', 'EXPIRED'],
] as const)('rejects credentials that are %s', (kind, reason) => {
  expect(() => requireViewer({ kind })).toThrow(
    expect.objectContaining({ name: 'UnauthenticatedError', reason }),
  );
});
