import { expect, test } from 'vitest';
import { releaseChangelog, sectionOf } from '../../../scripts/changelog.js';

const CHANGELOG = `# Changelog

## [Unreleased]

### Added

- Something new.

## [0.1.0] - 2026-11-25

- The first release.
`;

test('what is unreleased becomes the section of the version', () => {
  const released = releaseChangelog(CHANGELOG, '0.2.0', '2026-11-27');
  expect(released).toContain(
    '## [Unreleased]\n\n## [0.2.0] - 2026-11-27\n\n### Added\n\n- Something new.\n\n## [0.1.0]',
  );
  expect(sectionOf(released, '0.2.0')).toBe('### Added\n\n- Something new.');
  expect(sectionOf(released, '0.1.0')).toBe('- The first release.');
});

test('a release without changes, and one that exists, are refused', () => {
  const released = releaseChangelog(CHANGELOG, '0.2.0', '2026-11-27');
  expect(() => releaseChangelog(released, '0.3.0', '2026-11-28')).toThrow(
    'says nothing about what is unreleased',
  );
  expect(() => releaseChangelog(CHANGELOG, '0.1.0', '2026-11-28')).toThrow('has a section of 0.1.0 already');
  expect(() => sectionOf(CHANGELOG, '9.9.9')).toThrow('no section of 9.9.9');
});
