import { createRequire } from 'node:module';
import { defineConfig, type TestProjectInlineConfiguration } from 'vitest/config';

const require = createRequire(import.meta.url);

/** Tests that need servers. Each file runs in both projects and must give the same answers. */
const ON_BOTH_PAIRS =
  'test/{client,contract,storage,embedded-postgres,graphql,realtime,transport,bus,process,faults,abuse}/**/*.test.ts';

/**
 * One of the two configurations of Parley (see test/helpers/provided.ts). Both projects name the global setup, so that a run
 * of unit tests alone starts no server; the first project to start runs it (see test/helpers/global-setup.ts).
 */
function pair(name: 'embedded' | 'cluster', exclude: string[]): TestProjectInlineConfiguration {
  return {
    extends: true,
    test: {
      name,
      include: [ON_BOTH_PAIRS],
      exclude,
      provide: { pair: name },
      globalSetup: ['test/helpers/global-setup.ts'],
      setupFiles: ['test/helpers/end-of-file.ts'],
    },
  };
}

export default defineConfig({
  resolve: {
    // Vite would pick graphql's ES modules, while Yoga and graphql-ws, which are loaded by Node itself, get the
    // CommonJS ones: two copies, and "Cannot use GraphQLSchema from another module or realm".
    alias: [{ find: /^graphql$/, replacement: require.resolve('graphql') }],
  },
  test: {
    pool: 'forks',
    // The modules are loaded once per worker, which takes a second or two. Each file stops what it has started.
    isolate: false,
    maxWorkers: 2,
    testTimeout: 20_000,
    hookTimeout: 60_000,
    // Nobody relies on the default of 1 s: a small machine needs longer.
    expect: { poll: { timeout: 15_000 } },
    projects: [
      {
        extends: true,
        test: { name: 'unit', include: ['test/{unit,repository}/**/*.test.ts'] },
      },
      pair('embedded', ['**/*.cluster.test.ts']),
      pair('cluster', ['**/*.embedded.test.ts', 'test/embedded-postgres/**']),
    ],
  },
});
