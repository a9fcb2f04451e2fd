/**
 * `npm run release -- VERSION`: prepares a release on a clean main. Sets the version of the server and of parley-client,
 * writes the section of the changelog, lists all dependencies in `sbom.json` (CycloneDX), commits and tags. Pushing the tag
 * starts the workflow `release.yml`, which builds the images.
 */
import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { releaseChangelog } from './changelog.js';

const [version = ''] = process.argv.slice(2);
const run = (program: string, ...args: string[]): string =>
  execFileSync(program, args, { encoding: 'utf8' }).trim();

function requireThat(condition: boolean, problem: string): void {
  if (condition) return;
  console.error(problem);
  process.exit(1);
}

requireThat(/^\d+\.\d+\.\d+$/.test(version), 'Usage: npm run release -- VERSION, such as 0.2.0.');
requireThat(run('git', 'branch', '--show-current') === 'main', 'Releases are made on main.');
requireThat(run('git', 'status', '--porcelain') === '', 'There are changes that are not committed.');
requireThat(run('git', 'tag', '--list', `v${version}`) === '', `v${version} exists already.`);

const date = new Date().toISOString().slice(0, 10);
writeFileSync('CHANGELOG.md', releaseChangelog(readFileSync('CHANGELOG.md', 'utf8'), version, date));
run('npm', 'version', version, '--no-git-tag-version', '--workspaces', '--include-workspace-root');
writeFileSync('sbom.json', `${run('npm', 'sbom', '--omit=dev', '--sbom-format=cyclonedx')}\n`);
run('git', 'add', 'CHANGELOG.md', 'package.json', 'package-lock.json', 'packages', 'sbom.json');
run('git', 'commit', '--message', `Release ${version}`);
run('git', 'tag', '--annotate', `v${version}`, '--message', `Parley ${version}`);
console.log(`Committed and tagged v${version}. Push both: git push origin main v${version}`);
