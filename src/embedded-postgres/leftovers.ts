import { readdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';

/**
 * Removes temporary folders, named `<prefix><pid>-<random>`, of processes that died before they were done.
 * What can't be removed now is left to the next start: leftovers waste space and harm nothing.
 */
export async function removeLeftovers(folder: string, prefix: string): Promise<void> {
  for (const name of await readdir(folder)) {
    if (!name.startsWith(prefix)) continue;
    const pid = Number.parseInt(name.slice(prefix.length), 10);
    const path = join(folder, name);
    if (await isInUse(pid, path)) continue;
    await rm(path, { recursive: true, force: true, maxRetries: 3 }).catch(() => undefined);
  }
}

/** In a container every run may have the same pid; then a folder older than this process is an earlier run's. */
async function isInUse(pid: number, path: string): Promise<boolean> {
  if (pid !== process.pid) return processExists(pid);
  const age = await stat(path).catch(() => undefined);
  return age !== undefined && age.mtimeMs >= performance.timeOrigin;
}

/** Whether a process, of whatever user, has this id. */
export function processExists(pid: number): boolean {
  if (!Number.isInteger(pid) || pid <= 0) return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'EPERM';
  }
}
