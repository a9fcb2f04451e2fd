import { execFileSync } from 'node:child_process';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { PEERS } from './targets.js';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));

/** Installs the packages of each peer in the peer's own folder; Parley itself depends on none of them. */
export function installPeers(): void {
  for (const { script } of PEERS)
    execFileSync('npm', ['install', '--no-audit', '--no-fund', '--no-package-lock', '--loglevel=error'], {
      cwd: `${ROOT}${dirname(script)}`,
      stdio: ['ignore', 'inherit', 'inherit'],
    });
}
