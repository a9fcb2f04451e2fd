/**
 * Checks what `npm pack` makes of parley-client: that every entry stays within its size, and that Node, bundlers and
 * TypeScript find what `exports` promises.
 */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { build } from 'esbuild';
import { publint } from 'publint';
import { formatMessage } from 'publint/utils';
import { clientFolder, packClient } from './pack-client.js';

/**
 * The most that an entry may weigh in bytes, minified and compressed with gzip, not counting the packages that it is
 * installed with.
 */
const MAX_BYTES: Readonly<Record<string, number>> = {
  '.': 5000,
  './http': 1500,
  './apollo': 4000,
  './urql': 3200,
  './react': 2400,
};

interface Manifest {
  readonly exports: Readonly<Record<string, string | { readonly default: string }>>;
  readonly dependencies: Readonly<Record<string, string>>;
  readonly peerDependencies: Readonly<Record<string, string>>;
}

async function sizeOf(file: string, external: readonly string[]): Promise<number> {
  const { outputFiles } = await build({
    entryPoints: [join(clientFolder, file)],
    bundle: true,
    minify: true,
    format: 'esm',
    target: 'es2022',
    external: [...external],
    write: false,
  });
  return outputFiles.reduce((sum, { contents }) => sum + gzipSync(contents, { level: 9 }).length, 0);
}

async function check(tarball: string): Promise<readonly string[]> {
  const manifest: Manifest = JSON.parse(readFileSync(join(clientFolder, 'package.json'), 'utf8'));
  const external = Object.keys({ ...manifest.dependencies, ...manifest.peerDependencies });
  const problems: string[] = [];
  for (const [entry, target] of Object.entries(manifest.exports)) {
    if (typeof target === 'string') continue;
    const bytes = await sizeOf(target.default, external);
    const max = MAX_BYTES[entry] ?? 0;
    console.info(`parley-client${entry.slice(1)}: ${bytes} of at most ${max} bytes`);
    if (bytes > max) problems.push(`The entry ${entry} is too large.`);
  }

  const { messages, pkg } = await publint({
    pack: { tarball: new Uint8Array(readFileSync(tarball)).buffer },
  });
  problems.push(...messages.map((message) => `publint: ${formatMessage(message, pkg) ?? message.code}`));

  const attw = join(
    createRequire(import.meta.url).resolve('@arethetypeswrong/cli/package.json'),
    '../dist/index.js',
  );
  try {
    execFileSync(process.execPath, [attw, tarball, '--profile', 'esm-only'], {
      encoding: 'utf8',
      stdio: 'pipe',
    });
  } catch (error) {
    problems.push(`attw: ${error instanceof Error && 'stdout' in error ? error.stdout : error}`);
  }
  return problems;
}

const folder = mkdtempSync(join(tmpdir(), 'parley-client-'));
try {
  const problems = await check(packClient(folder));
  for (const problem of problems) console.error(problem);
  if (problems.length > 0) process.exitCode = 1;
} finally {
  rmSync(folder, { recursive: true, force: true });
}
