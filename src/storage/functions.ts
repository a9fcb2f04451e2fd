import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type postgres from 'postgres';
import { StartupError } from '../startup-error.js';
import { databaseErrorCode } from './errors.js';

/** Next to this file both in `src` and in `dist`. The rules for these files are in its README.md. */
const FOLDER = fileURLToPath(new URL('./functions/', import.meta.url));

/**
 * `invalid_function_definition`: the return type or the name of a parameter differs from the function in the
 * database.
 */
const CHANGED_SIGNATURE = '42P13';
/** Raised below if another instance has applied the function meanwhile. */
const APPLIED = 'PA001';

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
 * They are one message of the simple protocol, which Postgres executes as one transaction. In a transaction of the driver,
 * the end of the connection would end the process.
 *
 * @returns the names of the functions that were applied.
 * @throws StartupError if a function has another signature than the function of this name in the database.
 */
export async function applyFunctions(
  client: postgres.Sql,
  functions: readonly SqlFunction[],
): Promise<string[]> {
  for (;;) {
    const newer = await findNewer(client, functions);
    if (newer.length === 0) return [];
    try {
      await client.unsafe([...newer.map(recorded), refuseOverloads(newer)].join('\n')).simple();
      return newer.map(({ name }) => name);
    } catch (error) {
      const code = databaseErrorCode(error);
      if (code === CHANGED_SIGNATURE) throw changedSignature(error);
      if (code !== APPLIED) throw error;
    }
  }
}

async function findNewer(client: postgres.Sql, functions: readonly SqlFunction[]): Promise<SqlFunction[]> {
  const rows = await client<{ name: string; release: number }[]>`select name, release from function_releases`;
  const releases = new Map(rows.map(({ name, release }) => [name, release]));
  return functions.filter(({ name, release }) => release > (releases.get(name) ?? 0));
}

/** Records the release and creates the function, unless another instance has done it meanwhile. */
function recorded({ name, release, definition }: SqlFunction): string {
  return `
    DO $guard$ BEGIN
      INSERT INTO function_releases (name, release) VALUES ('${name}', ${release})
      ON CONFLICT (name) DO UPDATE SET release = excluded.release WHERE function_releases.release < excluded.release;
      IF NOT FOUND THEN RAISE EXCEPTION 'applied' USING ERRCODE = '${APPLIED}'; END IF;
    END $guard$;
    ${definition}`;
}
/** Postgres accepts other parameter types under the same name: it creates an overload next to the old function. */
function refuseOverloads(functions: readonly SqlFunction[]): string {
  const names = functions.map(({ name }) => `'${name}'`).join(', ');
  return `
    DO $overloads$ DECLARE overloaded text; BEGIN
      SELECT proname INTO overloaded FROM pg_proc
      WHERE pronamespace = (SELECT oid FROM pg_namespace WHERE nspname = current_schema()) AND proname IN (${names})
      GROUP BY proname HAVING count(*) > 1 LIMIT 1;
      IF overloaded IS NOT NULL THEN
        RAISE EXCEPTION 'overloaded' USING ERRCODE = '${CHANGED_SIGNATURE}', HINT = 'DROP FUNCTION ' || overloaded || '()';
      END IF;
    END $overloads$;`;
}

/** Postgres names the function in its hint. */
function changedSignature(error: unknown): StartupError {
  const hint = error instanceof Error && 'hint' in error ? String(error.hint) : '';
  const [, name] = /DROP FUNCTION (\w+)\(/.exec(hint) ?? [];
  return new StartupError(
    `The SQL function ${name} has another signature than in the database: a changed signature needs a new name.`,
  );
}
