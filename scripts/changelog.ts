const UNRELEASED = '## [Unreleased]';

/**
 * Moves what is unreleased into a section of a version, and leaves an empty one for what follows.
 *
 * @param date such as `2026-11-27`.
 * @throws Error if nothing is unreleased, or the version has a section already.
 */
export function releaseChangelog(changelog: string, version: string, date: string): string {
  if (changelog.includes(`\n## [${version}]`))
    throw new Error(`CHANGELOG.md has a section of ${version} already.`);
  const start = changelog.indexOf(UNRELEASED);
  if (start === -1 || sectionAt(changelog, start) === '')
    throw new Error('CHANGELOG.md says nothing about what is unreleased.');
  const body = changelog.slice(start + UNRELEASED.length);
  return `${changelog.slice(0, start)}${UNRELEASED}\n\n## [${version}] - ${date}${body}`;
}

/** The text of a version's section, for the notes of a release. @throws Error if there is none. */
export function sectionOf(changelog: string, version: string): string {
  const start = changelog.indexOf(`## [${version}]`);
  if (start === -1) throw new Error(`CHANGELOG.md has no section of ${version}.`);
  return sectionAt(changelog, start);
}

function sectionAt(changelog: string, start: number): string {
  const body = changelog.slice(changelog.indexOf('\n', start) + 1);
  const end = body.search(/^## \[/m);
  return (end === -1 ? body : body.slice(0, end)).trim();
}
