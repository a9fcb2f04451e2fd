-- release: 3

-- Replaces the text of a message. The message takes the room's next `rev` and keeps its `seq`: the change happens
-- now, the message stays where it is. Returns one row.
--
--   outcome        message
--   edited         the message as it stands now
--   not-found      none: there is no such message of type TEXT in the room, or the editor is not a member
--   not-author     none: the message is another user's
--   full           none: the room or the message takes no more changes, see "Limits" in the README
CREATE OR REPLACE FUNCTION edit_message(p_room_id uuid, p_message_id uuid, p_editor_id uuid, p_text text)
RETURNS TABLE (outcome text, epoch text, last_seq integer, message messages)
LANGUAGE plpgsql VOLATILE AS $$
#variable_conflict use_column
DECLARE
  head record;
  stored messages%ROWTYPE;
BEGIN
  -- Lock the head, then decide: the statements below see everything that was committed while this one waited.
  SELECT * INTO head FROM lock_head(p_room_id);
  SELECT * INTO stored FROM messages WHERE messages.id = p_message_id AND room_id = p_room_id AND type = 'TEXT';

  IF stored.id IS NULL OR NOT EXISTS (
    SELECT FROM members WHERE room_id = p_room_id AND user_id = p_editor_id
  ) THEN
    outcome := 'not-found';
  ELSIF stored.author_id IS DISTINCT FROM p_editor_id THEN
    outcome := 'not-author';
  ELSIF head.last_rev >= 281474975710655 - head.member_count OR stored.revision = 2147483647 THEN
    outcome := 'full';
  ELSE
    UPDATE messages
    SET text = p_text, rev = head.last_rev + 1, revision = stored.revision + 1,
        changed_at = greatest(stored.created_at, stored.changed_at, date_trunc('milliseconds', clock_timestamp()))
    WHERE room_id = p_room_id AND seq = stored.seq
    RETURNING * INTO message;
    PERFORM record_change(p_room_id, head.last_seq, message.rev, head.last_at);
    SELECT value INTO epoch FROM meta WHERE key = 'epoch';
    last_seq := head.last_seq;
    outcome := 'edited';
  END IF;
  RETURN NEXT;
END
$$;
