ALTER TYPE "public"."message_type" ADD VALUE 'MEMBER_LEFT';--> statement-breakpoint
ALTER TYPE "public"."message_type" ADD VALUE 'MEMBER_REMOVED';--> statement-breakpoint
ALTER TABLE "messages" ADD COLUMN "subject_id" uuid;--> statement-breakpoint
ALTER TABLE "messages" ADD COLUMN "changed_at" timestamp (3) with time zone;--> statement-breakpoint
ALTER TABLE "messages" ADD CONSTRAINT "messages_subject_id_users_id_fk" FOREIGN KEY ("subject_id") REFERENCES "public"."users"("id") ON DELETE set null ON UPDATE no action;