import { readdirSync, readFileSync } from 'node:fs';
import { join, posix, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';

/** Sources by their path below src/. */
type Sources = ReadonlyMap<string, string>;

function readSources(folder: string): Sources {
  const root = fileURLToPath(new URL(`../../${folder}`, import.meta.url));
  return new Map(
    readdirSync(root, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile() && /\.[jt]s$/.test(entry.name))
      .map((entry) => {
        const path = join(entry.parentPath, entry.name);
        return [relative(root, path).replaceAll('\\', '/'), readFileSync(path, 'utf8')];
      }),
  );
}

const sources = readSources('src');
const clientSources = readSources('packages/client/src');

/** The layers that each layer (a folder of src/, or a file directly in it) may import besides itself. */
const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  lib: [],
  'startup-error': [],
  config: ['lib', 'startup-error'],
  log: ['config'],
  'embedded-postgres': ['lib', 'startup-error'],
  domain: ['lib'],
  storage: ['domain', 'lib', 'startup-error'],
  redis: ['domain', 'lib', 'startup-error'],
  bus: ['redis', 'domain', 'lib'],
  auth: ['domain', 'lib'],
  delivery: ['domain', 'lib'],
  graphql: ['delivery', 'domain', 'lib'],
  metrics: ['graphql', 'domain'],
  transport: ['graphql', 'delivery', 'domain', 'auth', 'lib', 'config', 'startup-error'],
};
/** The wiring and the programs that start it may import every layer. */
const MAY_IMPORT_ALL = ['app', 'database', 'bin'];

/** Packages that only certain layers may import. */
const RESTRICTED_PACKAGES: readonly (readonly [RegExp, readonly string[]])[] = [
  [/^drizzle-orm(\/|$)/, ['storage']],
  [/^postgres$/, ['storage', 'embedded-postgres']],
  [/^@embedded-postgres(\/|$)/, ['embedded-postgres']],
  [/^(ioredis|rate-limiter-flexible)(\/|$)/, ['redis', 'bus']],
  [/^@graphql-yoga\/redis-event-target$/, ['bus']],
  [/^(jose|@node-rs\/argon2)(\/|$)/, ['auth']],
  [/^(@pothos\/|dataloader$)/, ['graphql']],
  [/^graphql(-yoga)?$/, ['graphql', 'transport']],
  [/^(ws|graphql-ws|negotiator|@graphql-yoga\/render)/, ['transport']],
  [/^pino/, ['log']],
  [/^prom-client$/, ['metrics']],
];

/** Layers of pure logic: they may import no package and no module of Node except these. */
const PURE_LAYERS: Readonly<Record<string, readonly string[]>> = {
  domain: ['uuid', 'unhomoglyph'],
  delivery: [],
};

const STATIC_IMPORT = /^(?:import|export)\s(?:[^'";]*?\sfrom\s)?\s*['"]([^'"]+)['"]/gm;
const DYNAMIC_IMPORT = /\b(?:import|require)\(\s*['"]([^'"]+)['"]\s*\)/g;

function importsOf(source: string): string[] {
  return [STATIC_IMPORT, DYNAMIC_IMPORT].flatMap((pattern) =>
    [...source.matchAll(pattern)].map(([, specifier = '']) => specifier),
  );
}

function layerOf(path: string): string {
  return path.split('/')[0]?.replace(/\.[jt]s$/, '') ?? '';
}

/** The layer of a relative import; null for a package. */
function targetLayer(path: string, specifier: string): string | null {
  return specifier.startsWith('.') ? layerOf(posix.join(posix.dirname(path), specifier)) : null;
}

/** Every import that the layers do not allow, one line each. */
function violations(files: Sources): string[] {
  return [...files].flatMap(([path, source]) => {
    const layer = layerOf(path);
    if (MAY_IMPORT_ALL.includes(layer)) return [];
    const allowed = MAY_IMPORT[layer];
    if (!allowed) return [`${path} is in no known layer`];
    return importsOf(source)
      .filter((specifier) => {
        const target = targetLayer(path, specifier);
        if (target !== null) return target !== layer && !allowed.includes(target);
        const permitted = PURE_LAYERS[layer];
        if (permitted) return !permitted.includes(specifier);
        return RESTRICTED_PACKAGES.some(
          ([pattern, layers]) => pattern.test(specifier) && !layers.includes(layer),
        );
      })
      .map((specifier) => `${path} imports ${specifier}`);
  });
}

/** The imports of each layer or file. */
type Graph = ReadonlyMap<string, ReadonlySet<string>>;

function layerGraph(files: Sources): Graph {
  const graph = new Map<string, Set<string>>();
  for (const [path, source] of files) {
    const layer = layerOf(path);
    const targets = graph.get(layer) ?? new Set();
    for (const specifier of importsOf(source)) {
      const target = targetLayer(path, specifier);
      if (target !== null && target !== layer) targets.add(target);
    }
    graph.set(layer, targets);
  }
  return graph;
}

function fileGraph(files: Sources): Graph {
  return new Map(
    [...files].map(([path, source]) => {
      const relatives = importsOf(source).filter((specifier) => specifier.startsWith('.'));
      const targets = relatives.map((specifier) => posix.join(posix.dirname(path), specifier));
      // A JavaScript file is imported by its own name, a TypeScript file by the name of its output.
      return [
        path,
        new Set(targets.map((target) => (files.has(target) ? target : target.replace(/\.js$/, '.ts')))),
      ];
    }),
  );
}

/** The members of one cycle, in order; null if there is none. */
function cycle(graph: Graph): string[] | null {
  const done = new Set<string>();
  const visit = (node: string, path: string[]): string[] | null => {
    if (path.includes(node)) return [...path.slice(path.indexOf(node)), node];
    if (done.has(node)) return null;
    for (const target of graph.get(node) ?? []) {
      const found = visit(target, [...path, node]);
      if (found) return found;
    }
    done.add(node);
    return null;
  };
  for (const node of graph.keys()) {
    const found = visit(node, []);
    if (found) return found;
  }
  return null;
}

/** Files that read the environment. Passing all of it to a child process does not count. */
function readersOfEnvironment(files: Sources): string[] {
  const passedOn = /\benv: process\.env\b(?![.[])/g;
  const reading = /\bprocess\s*(\.\s*env|\[['"]env)|\benv\b[^;]*from 'node:process'/;
  return [...files]
    .filter(([, source]) => reading.test(source.replaceAll(passedOn, '')))
    .map(([path]) => path);
}

test('imports follow the arrows between the layers', () => {
  expect(sources.size).toBeGreaterThan(40);
  expect(violations(sources)).toEqual([]);
});

test('layers do not import each other in a cycle', () => {
  expect(cycle(layerGraph(sources))).toBeNull();
});

test('files do not import each other in a cycle', () => {
  expect(cycle(fileGraph(sources))).toBeNull();
  expect(cycle(fileGraph(clientSources))).toBeNull();
});

test.each([
  ['itself, graphql-ws and its peer', '', ['graphql', 'graphql-ws']],
  ['the core, its peer and Apollo Client in its entry', 'apollo', ['graphql', '@apollo/client']],
  [
    'the core, its peer and urql in its entry',
    'urql',
    ['graphql', '@urql/core', '@urql/exchange-graphcache'],
  ],
  ['the core, its peer and React in its entry', 'react', ['graphql', 'react']],
])('parley-client imports nothing but %s', (_, folder, expected) => {
  const packages = [...clientSources]
    .filter(([path]) => path.slice(0, Math.max(0, path.indexOf('/'))) === folder)
    .flatMap(([, source]) => importsOf(source))
    .filter((specifier) => !/^\.\.?\//.test(specifier));

  expect(new Set(packages)).toEqual(new Set(expected));
});

test('the core of parley-client does not import the entries for other clients', () => {
  const core = [...clientSources].filter(([path]) => !path.includes('/'));

  expect(core.length).toBeGreaterThan(10);
  expect(core.flatMap(([, source]) => importsOf(source)).filter((each) => /^\.\/.*\//.test(each))).toEqual(
    [],
  );
});

test('only config reads the environment', () => {
  expect(readersOfEnvironment(sources).filter((path) => path !== 'config/index.ts')).toEqual([]);
});

test('a forbidden import is found in every form of the syntax', () => {
  const forms = [
    "import { eq } from 'drizzle-orm';",
    "import type { Sql } from 'postgres';",
    "import 'ioredis';",
    "import {\n  GraphQLError,\n} from 'graphql';",
    "export { x } from '../storage/x.js';",
    "export * from '../../src/bus/local.js';",
    "const app = await import('../app.js');",
    "import { readFile } from 'node:fs/promises';",
  ];
  for (const form of forms) expect(violations(new Map([['domain/a.ts', form]])), form).toHaveLength(1);
  expect(violations(new Map([['graphql/a.ts', "import { Redis } from 'ioredis';"]]))).toHaveLength(1);
  expect(violations(new Map([['services/a.ts', '']]))).toEqual(['services/a.ts is in no known layer']);
  const text = "const text = \"import of 'graphql'\"; // from 'graphql'";
  expect(violations(new Map([['domain/a.ts', text]]))).toEqual([]);
});

test('cycles and readers of the environment are found', () => {
  const circular = new Map([
    ['domain/a.ts', "import type { B } from '../storage/b.js';"],
    ['storage/b.ts', "import type { A } from '../domain/a.js';"],
  ]);
  expect(cycle(layerGraph(circular))).toEqual(['domain', 'storage', 'domain']);
  expect(cycle(fileGraph(circular))).toEqual(['domain/a.ts', 'storage/b.ts', 'domain/a.ts']);
  const within = new Map([
    ['domain/a.ts', "import { b } from './b.js';"],
    ['domain/b.ts', "export { c } from './sub/c.js';"],
    ['domain/sub/c.ts', "import '../a.js';"],
  ]);
  expect(cycle(layerGraph(within))).toBeNull();
  expect(cycle(fileGraph(within))).toEqual(['domain/a.ts', 'domain/b.ts', 'domain/sub/c.ts', 'domain/a.ts']);
  const readers = new Map([
    ['bus/a.ts', 'const url = process.env.REDIS_URL;'],
    ['bus/b.ts', 'const { REDIS_URL } = process.env;'],
    ['bus/c.ts', "import { env } from 'node:process';"],
    ['bus/d.ts', 'spawn(file, { env: process.env });'],
  ]);
  expect(readersOfEnvironment(readers)).toEqual(['bus/a.ts', 'bus/b.ts', 'bus/c.ts']);
});
