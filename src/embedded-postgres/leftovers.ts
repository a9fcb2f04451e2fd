import { readdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';

/**
 * Removes temporary folders, named `<prefix><pid>-<random>`, of processes that have ended. A folder that cannot be removed
 * is left to the next start: it only wastes space.
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

/** In a container every run may have the same pid. A folder with our pid that is older than this process was left by an earlier run. */
async function isInUse(pid: number, path: string): Promise<boolean> {
  if (pid !== process.pid) return processExists(pid);
  const found = await stat(path).catch(() => undefined);
  return found !== undefined && found.mtimeMs >= performance.timeOrigin;
}

/** Whether a process of any user has this id. */
export function processExists(pid: number): boolean {
  if (!Number.isInteger(pid) || pid <= 0) return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'EPERM';
  }
}
