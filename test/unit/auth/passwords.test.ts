import { hash as argon2 } from '@node-rs/argon2';
import { expect, test } from 'vitest';
import { createPasswordHasher } from '../../../src/auth/passwords.js';
import { RateLimitedError } from '../../../src/domain/errors.js';

test('logins go before sign-ups that wait, and addresses take turns', async () => {
  const { hash, verify } = await createPasswordHasher();
  const order: string[] = [];
  const signUp = (name: string, address: string) =>
    hash('a password', address).then(() => void order.push(name));
  const all = [
    ...['1', '2', '3', '4', '5', '6'].map((number) => signUp(`crowd ${number}`, 'a')),
    signUp('someone else', 'b'),
    verify(null, 'a password', 'c').then(() => void order.push('login')),
  ];
  await Promise.all(all);
  // Up to three ran when the others arrived.
  expect(order.indexOf('login')).toBeLessThanOrEqual(4);
  expect(order.indexOf('someone else')).toBeLessThanOrEqual(5);
});

test('more hashes than may wait are refused at once, those of the address with the most', async () => {
  const { hash, verify } = await createPasswordHasher(4);
  const crowd = await Promise.allSettled([
    ...Array.from({ length: 10 }, () => hash('a password', 'a')),
    hash('a password', 'b'),
    verify(null, 'a password', 'b'),
  ]);
  const refused = crowd.flatMap((result, index) => (result.status === 'rejected' ? [index] : []));
  expect(refused.length).toBeGreaterThan(0);
  expect(refused.every((index) => index < 10)).toBe(true);
  for (const result of crowd)
    if (result.status === 'rejected') expect(result.reason).toBeInstanceOf(RateLimitedError);
});

test('a hash is of its password only, and no hash matches anything', async () => {
  const { hash, verify } = await createPasswordHasher();
  const stored = await hash('a password', 'a');
  expect(await verify(stored, 'a password', 'a')).toBe(true);
  expect(await verify(stored, 'another one', 'a')).toBe(false);
  expect(await verify(null, 'a password', 'a')).toBe(false);
});

test('hashes that took less work than new ones are weak', async () => {
  const { hash, isWeak } = await createPasswordHasher();
  expect(isWeak(await hash('a password', 'a'))).toBe(false);
  expect(isWeak(await argon2('a password', { memoryCost: 8192 }))).toBe(true);
  expect(isWeak(await argon2('a password', { timeCost: 1 }))).toBe(true);
  expect(isWeak(await argon2('a password', { timeCost: 3, memoryCost: 32_768 }))).toBe(false);
});
