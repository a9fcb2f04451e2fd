import { chmod, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ensureProgram } from './debian.js';
import { freePort } from './free-port.js';
import { startProgram } from './program.js';
import { temporaryFolder } from './temporary-folder.js';

/**
 * Starts nginx with a configuration for its `http` block, in which `LISTEN` stands for its address. It is stopped at the end
 * of the test file at the latest.
 *
 * @returns its origin.
 */
export async function startNginx(http: string): Promise<{ origin: string; stop(): Promise<void> }> {
  const binary = await ensureProgram('nginx');
  const folder = temporaryFolder('nginx');
  const port = await freePort();
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'];
  await Promise.all(temporary.map((name) => mkdir(join(folder.path, name))));
  const file = join(folder.path, 'nginx.conf');
  await writeFile(
    file,
    `daemon off;
master_process off;
pid ${join(folder.path, 'nginx.id')};
error_log stderr warn;
events { worker_connections 512; }
http {
  access_log off;
  ${temporary.map((name) => `${name}_temp_path ${join(folder.path, name)};`).join('\n  ')}
  ${http.replaceAll('LISTEN', `127.0.0.1:${port}`)}
}
`,
  );
  await chmod(folder.path, 0o755);
  const stop = await startProgram({ binary, args: ['-c', file, '-e', 'stderr'], port, folder });
  return { origin: `http://127.0.0.1:${port}`, stop };
}
