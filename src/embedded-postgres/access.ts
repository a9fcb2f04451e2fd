import { chown, writeFile } from 'node:fs/promises';
import { userInfo } from 'node:os';
import { join } from 'node:path';
import type { Account } from './account.js';
import { SUPERUSER } from './cluster.js';

const HBA_FILE = 'parley_hba.conf';
const IDENT_FILE = 'parley_ident.conf';
const MAP = 'parley';

/**
 * Lets only the user of this process, and root, connect to the server's socket (PostgreSQL's `peer`). Started by root, the
 * server runs as `nobody`, as other programs may do: they could enter the socket's folder too. On Windows, the server
 * requires a password instead.
 *
 * @returns settings of the server.
 */
export async function restrictAccess(
  cluster: string,
  account: Account | undefined,
): Promise<Record<string, string>> {
  if (process.platform === 'win32') return {};
  const users = new Set([userInfo().username, 'root']);
  const files = {
    [HBA_FILE]: `local all all peer map=${MAP}\n`,
    [IDENT_FILE]: [...users].map((user) => `${MAP} "${user}" ${SUPERUSER}\n`).join(''),
  };
  for (const [name, text] of Object.entries(files)) {
    const path = join(cluster, name);
    await writeFile(path, text, { mode: 0o600 });
    if (account !== undefined) await chown(path, account.uid, account.gid);
  }
  return { hba_file: join(cluster, HBA_FILE), ident_file: join(cluster, IDENT_FILE) };
}
