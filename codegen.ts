import type { CodegenConfig } from '@graphql-codegen/cli';

/** Typed documents for clients, from the checked-in SDL and the shared operations: `npm run generate`. */
const config: CodegenConfig = {
  schema: 'schema/schema.graphql',
  documents: ['schema/operations/*.graphql'],
  generates: {
    'schema/generated/': {
      preset: 'client',
      presetConfig: { fragmentMasking: false },
      config: {
        scalars: { DateTime: 'string', ID: 'string' },
        strictScalars: true,
        useTypeImports: true,
        enumsAsTypes: true,
        importExtension: '.js',
      },
    },
  },
};

export default config;
