import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const clientFolder = fileURLToPath(new URL('../packages/client', import.meta.url));

/** Packs parley-client as `npm publish` would, which builds it first. Returns the path of the tarball. */
export function packClient(destination: string): string {
  const output = execFileSync('npm', ['pack', '--silent', '--pack-destination', destination], {
    cwd: clientFolder,
    encoding: 'utf8',
  });
  return join(destination, output.trim());
}
