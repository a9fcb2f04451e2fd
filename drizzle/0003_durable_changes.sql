-- The second version of the SQL functions. src/storage/functions contains the current ones, and its README.md the rules
-- that they follow.

DROP FUNCTION "send_messages";
--> statement-breakpoint
DROP FUNCTION "join_room";
--> statement-breakpoint
UPDATE "messages" SET "subject_id" = "author_id" WHERE "type" = 'MEMBER_JOINED';
--> statement-breakpoint
CREATE FUNCTION "send_messages"("p_room_id" uuid, "p_drafts" jsonb)
RETURNS TABLE ("outcome" text, "epoch" text, "last_seq" integer, "last_rev" bigint, "message" messages)
LANGUAGE plpgsql VOLATILE AS $$
#variable_conflict use_column
DECLARE
  head rooms%ROWTYPE;
  draft record;
  stored messages%ROWTYPE;
  hash bytea;
  result text;
BEGIN
  SELECT * INTO head FROM rooms WHERE rooms.id = p_room_id FOR NO KEY UPDATE;

  FOR draft IN
    SELECT d.id, d.author_id, d.text, d.client_message_id
    FROM ROWS FROM (
      jsonb_to_recordset(p_drafts) AS (id uuid, author_id uuid, text text, client_message_id text)
    ) WITH ORDINALITY AS d(id, author_id, text, client_message_id, place)
    ORDER BY d.place
  LOOP
    stored := NULL;
    hash := sha256(convert_to(draft.text, 'UTF8'));
    -- A retry of the whole call, after its connection was lost: a draft that was stored counts as sent, even if its
    -- author may no longer send.
    SELECT * INTO stored FROM messages WHERE messages.id = draft.id;
    IF FOUND THEN
      result := 'sent';
    ELSIF head.id IS NULL THEN
      result := 'not-found';
    ELSIF NOT EXISTS (
      SELECT FROM members WHERE room_id = p_room_id AND user_id = draft.author_id
    ) THEN
      result := CASE head.kind WHEN 'PUBLIC' THEN 'not-a-member' ELSE 'not-found' END;
    ELSE
      IF draft.client_message_id IS NOT NULL THEN
        SELECT * INTO stored FROM messages
        WHERE room_id = p_room_id AND author_id = draft.author_id AND client_message_id = draft.client_message_id;
      END IF;
      IF stored.id IS NOT NULL THEN
        result := CASE WHEN stored.text_hash = hash THEN 'repeated' ELSE 'conflict' END;
      ELSE
        head.last_seq := head.last_seq + 1;
        head.last_rev := head.last_rev + 1;
        -- Read after the lock, and never earlier than the previous message: clocks of several servers may differ.
        head.last_activity_at := greatest(head.last_activity_at, date_trunc('milliseconds', clock_timestamp()));
        INSERT INTO messages (id, room_id, seq, rev, type, author_id, text, client_message_id, text_hash, created_at)
        VALUES (draft.id, p_room_id, head.last_seq, head.last_rev, 'TEXT', draft.author_id, draft.text,
                draft.client_message_id, hash, head.last_activity_at)
        RETURNING * INTO stored;
        result := 'sent';
      END IF;
    END IF;
    RETURN QUERY SELECT result, (SELECT value FROM meta WHERE key = 'epoch'), head.last_seq, head.last_rev, stored;
  END LOOP;

  UPDATE rooms SET last_seq = head.last_seq, last_rev = head.last_rev, last_activity_at = head.last_activity_at
  WHERE rooms.id = p_room_id AND rooms.last_rev < head.last_rev;
END
$$;
--> statement-breakpoint
CREATE FUNCTION "join_room"("p_room_id" uuid, "p_user_id" uuid, "p_message_id" uuid)
RETURNS TABLE ("outcome" text, "epoch" text, "message" messages)
LANGUAGE plpgsql VOLATILE AS $$
#variable_conflict use_column
DECLARE
  head rooms%ROWTYPE;
  stored messages%ROWTYPE;
BEGIN
  SELECT * INTO head FROM rooms WHERE rooms.id = p_room_id FOR NO KEY UPDATE;
  IF head.id IS NULL THEN
    RETURN QUERY SELECT 'not-found'::text, NULL::text, stored;
    RETURN;
  END IF;
  IF EXISTS (SELECT FROM members WHERE room_id = p_room_id AND user_id = p_user_id) THEN
    RETURN QUERY SELECT 'member'::text, NULL::text, stored;
    RETURN;
  END IF;
  IF head.kind <> 'PUBLIC' THEN
    RETURN QUERY SELECT 'not-found'::text, NULL::text, stored;
    RETURN;
  END IF;

  head.last_activity_at := greatest(head.last_activity_at, date_trunc('milliseconds', clock_timestamp()));
  INSERT INTO members (room_id, user_id, joined_at) VALUES (p_room_id, p_user_id, head.last_activity_at);
  INSERT INTO messages (id, room_id, seq, rev, type, author_id, subject_id, text, created_at)
  VALUES (p_message_id, p_room_id, head.last_seq + 1, head.last_rev + 1, 'MEMBER_JOINED', p_user_id, p_user_id, '',
          head.last_activity_at)
  RETURNING * INTO stored;
  UPDATE rooms SET last_seq = stored.seq, last_rev = stored.rev, member_count = head.member_count + 1,
    last_activity_at = head.last_activity_at
  WHERE rooms.id = p_room_id;
  RETURN QUERY SELECT 'joined'::text, (SELECT value FROM meta WHERE key = 'epoch'), stored;
END
$$;
--> statement-breakpoint
-- Ends a membership, and adds a message that also ends the user's subscriptions to the room.
CREATE FUNCTION "remove_member"("p_room_id" uuid, "p_user_id" uuid, "p_actor_id" uuid, "p_message_id" uuid)
RETURNS TABLE ("epoch" text, "message" messages)
LANGUAGE plpgsql VOLATILE AS $$
#variable_conflict use_column
DECLARE
  head rooms%ROWTYPE;
  stored messages%ROWTYPE;
BEGIN
  SELECT * INTO head FROM rooms WHERE rooms.id = p_room_id FOR NO KEY UPDATE;
  DELETE FROM members WHERE room_id = p_room_id AND user_id = p_user_id;
  IF NOT FOUND THEN
    RETURN;
  END IF;

  head.last_activity_at := greatest(head.last_activity_at, date_trunc('milliseconds', clock_timestamp()));
  INSERT INTO messages (id, room_id, seq, rev, type, author_id, subject_id, text, created_at)
  VALUES (p_message_id, p_room_id, head.last_seq + 1, head.last_rev + 1,
          CASE WHEN p_actor_id = p_user_id THEN 'MEMBER_LEFT' ELSE 'MEMBER_REMOVED' END::message_type,
          p_actor_id, p_user_id, '', head.last_activity_at)
  RETURNING * INTO stored;
  UPDATE rooms SET last_seq = stored.seq, last_rev = stored.rev, member_count = head.member_count - 1,
    last_activity_at = head.last_activity_at
  WHERE rooms.id = p_room_id;
  RETURN QUERY SELECT (SELECT value FROM meta WHERE key = 'epoch'), stored;
END
$$;
--> statement-breakpoint
-- Replaces the text of a message. The message takes the room's next `rev` and keeps its `seq`.
CREATE FUNCTION "edit_message"("p_room_id" uuid, "p_message_id" uuid, "p_editor_id" uuid, "p_text" text)
RETURNS TABLE ("outcome" text, "epoch" text, "last_seq" integer, "message" messages)
LANGUAGE plpgsql VOLATILE AS $$
#variable_conflict use_column
DECLARE
  head rooms%ROWTYPE;
  stored messages%ROWTYPE;
BEGIN
  SELECT * INTO head FROM rooms WHERE rooms.id = p_room_id FOR NO KEY UPDATE;
  SELECT * INTO stored FROM messages WHERE messages.id = p_message_id AND room_id = p_room_id AND type = 'TEXT';
  IF stored.id IS NULL OR NOT EXISTS (
    SELECT FROM members WHERE room_id = p_room_id AND user_id = p_editor_id
  ) THEN
    RETURN QUERY SELECT 'not-found'::text, NULL::text, NULL::integer, stored;
    RETURN;
  END IF;
  IF stored.author_id IS DISTINCT FROM p_editor_id THEN
    RETURN QUERY SELECT 'not-author'::text, NULL::text, NULL::integer, stored;
    RETURN;
  END IF;

  UPDATE messages
  SET text = p_text, rev = head.last_rev + 1, revision = stored.revision + 1,
      changed_at = greatest(stored.created_at, stored.changed_at, date_trunc('milliseconds', clock_timestamp()))
  WHERE room_id = p_room_id AND seq = stored.seq
  RETURNING * INTO stored;
  UPDATE rooms SET last_rev = stored.rev WHERE rooms.id = p_room_id;
  RETURN QUERY SELECT 'edited'::text, (SELECT value FROM meta WHERE key = 'epoch'), head.last_seq, stored;
END
$$;
