-- The first version of the SQL functions. src/storage/functions contains the current ones, and its README.md the rules
-- that they follow.

CREATE FUNCTION "send_messages"("p_room_id" uuid, "p_drafts" jsonb)
RETURNS TABLE (
  "outcome" text,
  "id" uuid,
  "seq" integer,
  "rev" bigint,
  "type" message_type,
  "author_id" uuid,
  "text" text,
  "revision" integer,
  "client_message_id" text,
  "created_at" timestamptz,
  "last_seq" integer,
  "last_rev" bigint
)
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
    RETURN QUERY SELECT result, stored.id, stored.seq, stored.rev, stored.type, stored.author_id, stored.text,
      stored.revision, stored.client_message_id, stored.created_at::timestamptz, head.last_seq, head.last_rev;
  END LOOP;

  UPDATE rooms SET last_seq = head.last_seq, last_rev = head.last_rev, last_activity_at = head.last_activity_at
  WHERE rooms.id = p_room_id AND rooms.last_rev < head.last_rev;
END
$$;
--> statement-breakpoint
CREATE FUNCTION "join_room"("p_room_id" uuid, "p_user_id" uuid, "p_message_id" uuid)
RETURNS TABLE ("outcome" text, "seq" integer, "rev" bigint, "created_at" timestamptz)
LANGUAGE plpgsql VOLATILE AS $$
#variable_conflict use_column
DECLARE
  head rooms%ROWTYPE;
BEGIN
  SELECT * INTO head FROM rooms WHERE rooms.id = p_room_id FOR NO KEY UPDATE;
  IF head.id IS NULL THEN
    RETURN QUERY SELECT 'not-found'::text, NULL::integer, NULL::bigint, NULL::timestamptz;
    RETURN;
  END IF;
  IF EXISTS (SELECT FROM members WHERE room_id = p_room_id AND user_id = p_user_id) THEN
    RETURN QUERY SELECT 'member'::text, NULL::integer, NULL::bigint, NULL::timestamptz;
    RETURN;
  END IF;
  IF head.kind <> 'PUBLIC' THEN
    RETURN QUERY SELECT 'not-found'::text, NULL::integer, NULL::bigint, NULL::timestamptz;
    RETURN;
  END IF;

  head.last_activity_at := greatest(head.last_activity_at, date_trunc('milliseconds', clock_timestamp()));
  INSERT INTO members (room_id, user_id, joined_at) VALUES (p_room_id, p_user_id, head.last_activity_at);
  INSERT INTO messages (id, room_id, seq, rev, type, author_id, text, created_at)
  VALUES (p_message_id, p_room_id, head.last_seq + 1, head.last_rev + 1, 'MEMBER_JOINED', p_user_id, '',
          head.last_activity_at);
  UPDATE rooms SET last_seq = head.last_seq + 1, last_rev = head.last_rev + 1, member_count = head.member_count + 1,
    last_activity_at = head.last_activity_at
  WHERE rooms.id = p_room_id;
  RETURN QUERY SELECT 'joined'::text, head.last_seq + 1, head.last_rev + 1, head.last_activity_at::timestamptz;
END
$$;
