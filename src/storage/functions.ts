import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { inArray, sql } from 'drizzle-orm';
import type { PostgresJsDatabase } from 'drizzle-orm/postgres-js';
import { StartupError } from '../startup-error.js';
import { databaseErrorCode } from './errors.js';
import { functionReleases } from './tables.js';

/** Next to this file both in `src` and in `dist`. The rules for these files are in its README.md. */
const FOLDER = fileURLToPath(new URL('./functions/', import.meta.url));

/** The part of a database or transaction that is used here. */
type Executor = Pick<PostgresJsDatabase, 'insert' | 'execute'>;

/**
 * `invalid_function_definition`: the return type or the name of a parameter differs from the function in the
 * database.
 */
const CHANGED_SIGNATURE = '42P13';

/** One SQL function, as its file in `functions/` defines it. */
export interface SqlFunction {
  readonly name: string;
  /** A start applies the function only if this is higher than the release that the database has. */
  readonly release: number;
  /** The `CREATE OR REPLACE FUNCTION` statement, with its comments. */
  readonly definition: string;
}

/**
 * Reads all SQL functions, in the order of their names.
 *
 * @throws Error if a file has no release in its first line, or defines a function of another name than its own.
 */
export async function readFunctions(folder = FOLDER): Promise<SqlFunction[]> {
  const files = (await readdir(folder)).filter((file) => file.endsWith('.sql')).sort();
  return Promise.all(
    files.map(async (file) =>
      parseFunction(file.slice(0, -'.sql'.length), await readFile(join(folder, file), 'utf8')),
    ),
  );
}

function parseFunction(name: string, definition: string): SqlFunction {
  const release = Number(/^-- release: ([1-9]\d*)\r?\n/.exec(definition)?.[1]);
  if (Number.isNaN(release))
    throw new Error(`${name}.sql must begin with the line "-- release: <number>", with a number from 1.`);
  const [, created, ...others] = definition.split(/^CREATE OR REPLACE FUNCTION /m);
  if (!created?.startsWith(`${name}(`) || others.length > 0)
    throw new Error(`${name}.sql must hold one statement: CREATE OR REPLACE FUNCTION ${name}(...).`);
  return { name, release, definition };
}

/**
 * Applies the functions whose release is newer than the one in the database, all or none. Never replaces a function
 * by one of the same or an older release.
 *
 * @returns the names of the functions that were applied.
 * @throws StartupError if a function has another signature than the function of this name in the database.
 */
export async function applyFunctions(
  db: PostgresJsDatabase,
  functions: readonly SqlFunction[],
): Promise<string[]> {
  return db.transaction(async (transaction) => {
    const names = await recordNewer(transaction, functions);
    for (const each of functions) if (names.includes(each.name)) await createOrReplace(transaction, each);
    if (names.length > 0) await refuseOverloads(transaction, names);
    return names;
  });
}

/**
 * Records the newer releases, and returns their names. One statement, so it is correct even without the migration
 * lock.
 */
async function recordNewer(db: Executor, functions: readonly SqlFunction[]): Promise<string[]> {
  const newer = await db
    .insert(functionReleases)
    .values(functions.map(({ name, release }) => ({ name, release })))
    .onConflictDoUpdate({
      target: functionReleases.name,
      set: { release: sql`excluded.release` },
      setWhere: sql`${functionReleases.release} < excluded.release`,
    })
    .returning({ name: functionReleases.name });
  return newer.map(({ name }) => name);
}

async function createOrReplace(db: Executor, { name, definition }: SqlFunction): Promise<void> {
  try {
    await db.execute(sql.raw(definition));
  } catch (error) {
    if (databaseErrorCode(error) === CHANGED_SIGNATURE) throw changedSignature(name);
    throw error;
  }
}

/** Postgres accepts other parameter types under the same name: it creates an overload next to the old function. */
async function refuseOverloads(db: Executor, names: readonly string[]): Promise<void> {
  const [overloaded] = await db.execute<{ name: string }>(sql`
    select proname as name from pg_proc
    where pronamespace = (select oid from pg_namespace where nspname = current_schema()) and ${inArray(sql`proname`, names)}
    group by proname having count(*) > 1`);
  if (overloaded) throw changedSignature(overloaded.name);
}

function changedSignature(name: string): StartupError {
  return new StartupError(
    `The SQL function ${name} has another signature than in the database: a changed signature needs a new name.`,
  );
}
