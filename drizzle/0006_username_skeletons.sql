ALTER TABLE "users" ADD COLUMN "username_skeleton" text;
-- The indexes of this column are built after the start: see src/storage/migration/indexes.ts.
