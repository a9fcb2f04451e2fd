-- release: 3

-- Stores drafts in a room, in their order. Returns one row per draft, in the same order, with the head after that
-- draft.
--
--   outcome        message
--   sent           the stored message, also if an earlier call has stored this draft
--   repeated       the message that the author sent before with this clientMessageId and this text
--   conflict       the message that the author sent before with this clientMessageId and another text
--   not-a-member   none: the room is public, and the author is not a member
--   not-found      none: there is no such room, or it is private and the author is not a member
--   full           none: the room takes no more messages, see "Limits" in the README
CREATE OR REPLACE FUNCTION send_messages(p_room_id uuid, p_drafts jsonb)
RETURNS TABLE (outcome text, epoch text, last_seq integer, last_rev bigint, message messages)
LANGUAGE plpgsql VOLATILE AS $$
#variable_conflict use_column
DECLARE
  head record;
  draft record;
  hash bytea;
  is_changed boolean := false;
BEGIN
  -- Lock the head, then decide: the statements below see everything that was committed while this one waited.
  SELECT * INTO head FROM lock_head(p_room_id);
  SELECT value INTO epoch FROM meta WHERE key = 'epoch';

  FOR draft IN
    SELECT d.id, d.author_id, d.text, d.client_message_id
    FROM ROWS FROM (
      jsonb_to_recordset(p_drafts) AS (id uuid, author_id uuid, text text, client_message_id text)
    ) WITH ORDINALITY AS d(id, author_id, text, client_message_id, place)
    ORDER BY d.place
  LOOP
    hash := sha256(convert_to(draft.text, 'UTF8'));

    -- A retry of the whole call, after its connection was lost: a draft that was stored counts as sent, even if its
    -- author may no longer send. This precedes the access decision.
    SELECT * INTO message FROM messages WHERE messages.id = draft.id;
    IF FOUND THEN
      outcome := 'sent';
    ELSIF head.room_id IS NULL THEN
      outcome := 'not-found';
    ELSIF NOT EXISTS (
      SELECT FROM members WHERE room_id = p_room_id AND user_id = draft.author_id
    ) THEN
      -- A private room is hidden from everyone outside it.
      outcome := CASE head.kind WHEN 'PUBLIC' THEN 'not-a-member' ELSE 'not-found' END;
    ELSE
      -- A retry by the client: the key is unique per room and author. The text is compared by its hash as first sent,
      -- because the message may have been edited since.
      IF draft.client_message_id IS NOT NULL THEN
        SELECT * INTO message FROM messages
        WHERE room_id = p_room_id AND author_id = draft.author_id AND client_message_id = draft.client_message_id;
      END IF;
      IF message.id IS NOT NULL THEN
        outcome := CASE WHEN message.text_hash = hash THEN 'repeated' ELSE 'conflict' END;
      ELSIF head.last_seq >= 2146483647 - head.member_count OR head.last_rev >= 281474975710655 - head.member_count THEN
        outcome := 'full';
      ELSE
        head.last_seq := head.last_seq + 1;
        head.last_rev := head.last_rev + 1;
        -- Read after the lock, and never earlier than the previous message: the clock may have been set back.
        head.last_at := greatest(head.last_at, date_trunc('milliseconds', clock_timestamp()));
        INSERT INTO messages (id, room_id, seq, rev, type, author_id, text, client_message_id, text_hash, created_at)
        VALUES (draft.id, p_room_id, head.last_seq, head.last_rev, 'TEXT', draft.author_id, draft.text,
                draft.client_message_id, hash, head.last_at)
        RETURNING * INTO message;
        is_changed := true;
        outcome := 'sent';
      END IF;
    END IF;
    last_seq := head.last_seq;
    last_rev := head.last_rev;
    RETURN NEXT;
  END LOOP;

  IF is_changed THEN
    PERFORM record_change(p_room_id, head.last_seq, head.last_rev, head.last_at);
  END IF;
END
$$;
