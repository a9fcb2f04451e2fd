import { existsSync, readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { settingNames } from '../../src/config/index.js';

const root = new URL('../../', import.meta.url);
const read = (name: string): string => readFileSync(new URL(name, root), 'utf8');

test('the compose file passes every setting on', () => {
  const environment = read('docker-compose.yml').match(
    /x-parley:[\s\S]*?environment:\n((?: {4}\S.*\n)+)/,
  )?.[1];
  const names = [...(environment ?? '').matchAll(/^ {4}(\w+):/gm)].map(([, name]) => name);

  // Where the containers listen, and a folder that they do not use.
  const fixed = ['PORT', 'HOST', 'DATA_DIR'];
  expect(names.toSorted()).toEqual(settingNames.filter((name) => !fixed.includes(name)).toSorted());
  // Everything but the addresses of the other containers can be set in `.env`.
  for (const name of names.filter((each) => !each?.endsWith('_URL')))
    expect(environment, name).toMatch(new RegExp(`^ {4}${name}: \\$\\{${name}[:-]`, 'm'));
});

test('the compose file contains no secrets', () => {
  const compose = read('docker-compose.yml');

  for (const secret of ['JWT_SECRET', 'POSTGRES_PASSWORD']) {
    const uses = compose.match(new RegExp(`\\$\\{${secret}[^}]*\\}`, 'g')) ?? [];
    expect(uses.length).toBeGreaterThan(0);
    for (const use of uses) expect(use).toMatch(new RegExp(`^\\$\\{${secret}:\\?`));
  }
});

test('everything that the image copies is in the repository and allowed by .dockerignore', () => {
  const allowed = new Set([...read('.dockerignore').matchAll(/^!(.+)$/gm)].map(([, name]) => name));
  const copied = [...read('Dockerfile').matchAll(/^COPY (?!--from)(.+) \S+$/gm)].flatMap(([, names]) =>
    (names ?? '').split(' '),
  );

  expect(copied).toEqual(expect.arrayContaining(['src', 'drizzle', 'package-lock.json']));
  for (const name of copied) {
    expect(existsSync(new URL(name, root)), name).toBe(true);
    expect(allowed, name).toContain(name);
  }
});

test('the image is built without the workspaces, which are for clients', () => {
  const installs = [...read('Dockerfile').matchAll(/npm ci[^\n&]*/g)].map(([command]) => command);

  expect(installs).toHaveLength(2);
  for (const install of installs) expect(install).toContain('--workspaces=false');
});

test('the workflow runs the checks on every supported major version of Node', () => {
  const workflow = read('.github/workflows/ci.yml');

  expect(workflow).toContain('node: [20, 22, 24]');
  expect(workflow).toContain('run: .ci/run');
});
