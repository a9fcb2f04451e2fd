CREATE TABLE "function_releases" (
	"name" text PRIMARY KEY NOT NULL,
	"release" integer NOT NULL
);
