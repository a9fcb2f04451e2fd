import { defineConfig } from 'drizzle-kit';

/** `npm run generate` writes the migration for what changed in the tables. */
export default defineConfig({ dialect: 'postgresql', schema: './src/storage/tables.ts', out: './drizzle' });
