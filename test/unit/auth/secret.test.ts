import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { readOrCreateSecret } from '../../../src/auth/secret.js';

let parent: string;
let dataDir: string;
let umask: number;

beforeEach(async () => {
  parent = await mkdtemp(join(tmpdir(), 'parley-secret-'));
  dataDir = join(parent, 'not', 'there');
  // The umask must not do what the code has to do.
  umask = process.umask(0);
});

afterEach(async () => {
  process.umask(umask);
  await rm(parent, { recursive: true, force: true });
});

test('the generated secret is readable by its owner only', async () => {
  await readOrCreateSecret(dataDir);

  expect((await stat(join(dataDir, 'jwt-secret'))).mode & 0o777).toBe(0o600);
});

test('the secret is generated once, with more than 32 bytes, and no draft of it is left', async () => {
  const secret = await readOrCreateSecret(dataDir);

  expect(Buffer.byteLength(secret)).toBeGreaterThan(32);
  expect(await readOrCreateSecret(dataDir)).toBe(secret);
  expect(await readFile(join(dataDir, 'jwt-secret'), 'utf8')).toBe(secret);
  expect(await readdir(dataDir)).toEqual(['jwt-secret']);
});

test('a secret that an operator has put there stays as it is', async () => {
  await readOrCreateSecret(dataDir);
  const file = join(dataDir, 'jwt-secret');
  await writeFile(file, 'a secret of the operator, of 32 bytes or more');

  expect(await readOrCreateSecret(dataDir)).toBe('a secret of the operator, of 32 bytes or more');
  expect((await stat(file)).mode & 0o777).toBe(0o600);
});
