CREATE TABLE "recent_changes" (
	"xid" "xid8" DEFAULT pg_current_xact_id() NOT NULL,
	"room_id" uuid,
	"seq" integer,
	"rev" bigint,
	"at" timestamp (3) with time zone NOT NULL,
	"user_id" uuid
);
--> statement-breakpoint
CREATE INDEX "recent_changes_by_xid" ON "recent_changes" USING btree ("xid");
--> statement-breakpoint
ALTER TABLE "users" ADD COLUMN "deleted_at" timestamp (3) with time zone;
--> statement-breakpoint
-- The start replaces these two by the files of src/storage/functions.
CREATE FUNCTION "record_user_change"() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$;
--> statement-breakpoint
CREATE FUNCTION "refuse_user_deletion"() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN OLD; END $$;
--> statement-breakpoint
CREATE TRIGGER "users_change" AFTER UPDATE OF "display_name", "avatar_url", "deleted_at" ON "users"
FOR EACH ROW WHEN (
  (OLD.display_name, OLD.avatar_url, OLD.deleted_at) IS DISTINCT FROM (NEW.display_name, NEW.avatar_url, NEW.deleted_at)
)
EXECUTE FUNCTION "record_user_change"();
--> statement-breakpoint
CREATE TRIGGER "users_deletion" BEFORE DELETE ON "users" FOR EACH ROW EXECUTE FUNCTION "refuse_user_deletion"();
--> statement-breakpoint
-- The release before reads the heads of rooms from "rooms": they are kept there for it, but only in a database that an older
-- release has served. A new database can only be served by this release or a later one.
INSERT INTO "meta" ("key", "value")
SELECT CASE WHEN "is_served" THEN 'heads_in_rooms' ELSE 'required_migrations' END, CASE WHEN "is_served" THEN 'true' ELSE '8' END
FROM (SELECT EXISTS (SELECT FROM "rooms") OR EXISTS (SELECT FROM "function_releases") AS "is_served") AS "state";
