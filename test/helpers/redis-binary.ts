import { spawnSync } from 'node:child_process';
import { find, firstErrorLine, installPackage } from './debian.js';

/**
 * On Debian, `redis-server` is a link to `redis-check-rdb`: one program that behaves according to its name in argv[0]
 * (startRedis passes `redis-server`). The package `redis-tools` contains the program, `redis-server` the link and the service.
 */
const NAMES = ['redis-server', 'redis-check-rdb'];

const INSTALL_HINT =
  'install Redis so that redis-server is on the PATH (Debian: apt-get install redis-server)';

/** On other systems, `redis-check-rdb` may be a separate program. */
function isRedisServer(path: string): boolean {
  const { stdout } = spawnSync(path, ['--version'], { argv0: 'redis-server', encoding: 'utf8' });
  return stdout?.startsWith('Redis server') ?? false;
}

function findRedisServer(): string | undefined {
  return NAMES.map(find).find((path) => path !== undefined && isRedisServer(path));
}

/** Installs `redis-tools`, not `redis-server`, whose service would be started, now and at each boot. */
async function installWithApt(): Promise<void> {
  console.log('No Redis on this machine: installing the package redis-tools (its server, no service) ...');
  await installPackage('redis-tools');
}

/**
 * The path of a Redis server, to be started with the name (argv[0]) `redis-server`. Installs it on Debian and its derivatives
 * if there is none. Not for concurrent calls.
 *
 * @throws Error of one line that says what to install.
 */
export async function ensureRedisServer(): Promise<string> {
  const present = findRedisServer();
  if (present) return present;
  if (!find('apt-get')) throw new Error(`The tests need Redis: ${INSTALL_HINT}.`);
  await installWithApt().catch((error: unknown) => {
    throw new Error(`The tests need Redis, and apt-get failed (${firstErrorLine(error)}): ${INSTALL_HINT}.`);
  });
  const installed = findRedisServer();
  if (!installed)
    throw new Error(
      `The tests need Redis, and the package redis-tools does not contain it: ${INSTALL_HINT}.`,
    );
  return installed;
}
