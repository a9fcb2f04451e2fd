import { execFile, spawnSync } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

const FALLBACK_PATHS = ['/usr/bin', '/usr/sbin', '/usr/local/bin', '/usr/local/sbin', '/opt/homebrew/bin'];

/**
 * On Debian, `redis-server` is a link to `redis-check-rdb`: one program that behaves according to its name in argv[0]
 * (startRedis passes `redis-server`). The package `redis-tools` contains the program, `redis-server` the link and the service.
 */
const NAMES = ['redis-server', 'redis-check-rdb'];

/** No questions, and no restarts of other services (Ubuntu's needrestart). */
const APT_ENVIRONMENT = ['DEBIAN_FRONTEND=noninteractive', 'NEEDRESTART_SUSPEND=1', 'LC_ALL=C'];

const INSTALL_HINT =
  'install Redis so that redis-server is on the PATH (Debian: apt-get install redis-server)';

function find(name: string): string | undefined {
  const folders = [...(process.env.PATH ?? '').split(delimiter).filter(Boolean), ...FALLBACK_PATHS];
  return folders
    .map((folder) => join(folder, name))
    .find((path) => {
      try {
        accessSync(path, constants.X_OK);
        return true;
      } catch {
        return false;
      }
    });
}

/** On other systems, `redis-check-rdb` may be a separate program. */
function isRedisServer(path: string): boolean {
  const { stdout } = spawnSync(path, ['--version'], { argv0: 'redis-server', encoding: 'utf8' });
  return stdout?.startsWith('Redis server') ?? false;
}

function findRedisServer(): string | undefined {
  return NAMES.map(find).find((path) => path !== undefined && isRedisServer(path));
}

/** Runs apt-get as root, or with a sudo that asks for no password. */
async function apt(...args: string[]): Promise<void> {
  const command = ['env', ...APT_ENVIRONMENT, 'apt-get', '-o', 'DPkg::Lock::Timeout=120', ...args];
  const [program = '', ...rest] = process.getuid?.() === 0 ? command : ['sudo', '-n', ...command];
  await run(program, rest, { maxBuffer: 64 * 1024 * 1024 });
}

/** Installs `redis-tools`, not `redis-server`, whose service would be started, now and at each boot. */
async function installWithApt(): Promise<void> {
  console.log('No Redis on this machine: installing the package redis-tools (its server, no service) ...');
  const install = () => apt('install', '--yes', '--no-install-recommends', 'redis-tools');
  await install().catch(async () => {
    // The package lists are missing or out of date.
    await apt('update');
    await install();
  });
}

function firstErrorLine(error: unknown): string {
  const lines = String(error instanceof Error && 'stderr' in error ? error.stderr : error).split('\n');
  return lines.find((line) => line.startsWith('E: ')) ?? lines.find((line) => line.trim()) ?? String(error);
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
