import { execFile } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';
import { promisify } from 'node:util';

/** Programs of other projects that tests run. */

const run = promisify(execFile);

const FALLBACK_PATHS = ['/usr/bin', '/usr/sbin', '/usr/local/bin', '/usr/local/sbin', '/opt/homebrew/bin'];

/** No questions, and no restarts of other services (Ubuntu's needrestart). */
const APT_ENVIRONMENT = ['DEBIAN_FRONTEND=noninteractive', 'NEEDRESTART_SUSPEND=1', 'LC_ALL=C'];

/** The path of a program, on the PATH or in the usual folders. */
export function find(name: string): string | undefined {
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

/** Runs apt-get as root, or with a sudo that asks for no password. */
async function apt(...args: string[]): Promise<void> {
  const command = ['env', ...APT_ENVIRONMENT, 'apt-get', '-o', 'DPkg::Lock::Timeout=120', ...args];
  const [program = '', ...rest] = process.getuid?.() === 0 ? command : ['sudo', '-n', ...command];
  await run(program, rest, { maxBuffer: 64 * 1024 * 1024 });
}

/** Installs a package. Not for concurrent calls. */
export async function installPackage(name: string): Promise<void> {
  const install = () => apt('install', '--yes', '--no-install-recommends', name);
  await install().catch(async () => {
    // The package lists are missing or out of date.
    await apt('update');
    await install();
  });
}

/**
 * The path of a program, which is installed on Debian and its derivatives if it is missing.
 *
 * @throws Error of one line that says what to install.
 */
export async function ensureProgram(name: string, packageName = name): Promise<string> {
  const present = find(name);
  if (present) return present;
  const hint = `install it so that ${name} is on the PATH (Debian: apt-get install ${packageName})`;
  await installPackage(packageName).catch((error: unknown) => {
    throw new Error(`The tests need ${name}, and apt-get failed (${firstErrorLine(error)}): ${hint}.`);
  });
  const installed = find(name);
  if (!installed) throw new Error(`The tests need ${name}: ${hint}.`);
  return installed;
}

/** The first line of an error that says something. */
export function firstErrorLine(error: unknown): string {
  const lines = String(error instanceof Error && 'stderr' in error ? error.stderr : error).split('\n');
  return lines.find((line) => line.startsWith('E: ')) ?? lines.find((line) => line.trim()) ?? String(error);
}
