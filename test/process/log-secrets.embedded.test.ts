import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import postgres from 'postgres';
import { expect, test } from 'vitest';
import { readPostmaster } from '../../src/embedded-postgres/server.js';
import { runParley } from '../helpers/process.js';
import { failUnexpectedly, hashesIn, linesWithSecrets, useEverySecret } from '../helpers/secrets.js';
import { temporaryFolder } from '../helpers/temporary-folder.js';

test('no log line contains a secret of a client or of the data folder, and only the owner may read that folder', async () => {
  const folder = temporaryFolder('process');
  const dataDir = join(folder.path, '.data');
  const parley = await runParley({ LOG_LEVEL: 'trace', DRAIN_SECONDS: '0' }, { cwd: folder.path });
  const { url } = await parley.ready;
  const secret = await readFile(join(dataDir, 'jwt-secret'), 'utf8');
  const postmaster = await readPostmaster(join(dataDir, 'postgres'));
  const sql = postgres({ host: postmaster?.host ?? '', database: 'parley', username: 'parley', max: 1 });
  const secrets = await useEverySecret(url, secret);
  await failUnexpectedly(url, sql);
  secrets.push(...(await hashesIn(sql)));
  await sql.end();

  const readable: string[] = [];
  for (const file of await readdir(dataDir, { recursive: true, withFileTypes: true })) {
    const path = join(file.parentPath, file.name);
    if (file.isFile() && ((await stat(path)).mode & 0o077) !== 0) readable.push(path);
  }
  expect(readable).toEqual([]);

  await parley.stop();
  for (const part of ['Parley is ready', 'Unexpected error', 'Parley is stopping'])
    expect(parley.output()).toContain(part);
  expect(linesWithSecrets(parley.output(), secrets)).toEqual([]);
  await folder.clear();
}, 60_000);
