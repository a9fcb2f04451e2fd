-- release: 3

-- Makes a user a member of a public room, and adds the message of type MEMBER_JOINED. Returns one row, or none if the
-- room is full, see "Limits" in the README. (The release before takes a missing row for a room that is not found,
-- and any unknown outcome for a success.)
--
--   outcome        message
--   joined         the new message
--   member         none: the user is a member already
--   not-found      none: there is no such room, or it is private
CREATE OR REPLACE FUNCTION join_room(p_room_id uuid, p_user_id uuid, p_message_id uuid)
RETURNS TABLE (outcome text, epoch text, message messages)
LANGUAGE plpgsql VOLATILE AS $$
#variable_conflict use_column
DECLARE
  head record;
BEGIN
  -- Lock the head, then decide: the statements below see everything that was committed while this one waited.
  SELECT * INTO head FROM lock_head(p_room_id);

  IF EXISTS (SELECT FROM members WHERE room_id = p_room_id AND user_id = p_user_id) THEN
    outcome := 'member';
  ELSIF head.room_id IS NULL OR head.kind <> 'PUBLIC' THEN
    -- A private room is hidden from everyone outside it.
    outcome := 'not-found';
  ELSIF head.last_seq >= 2146483647 - head.member_count OR head.last_rev >= 281474975710655 - head.member_count THEN
    RETURN;
  ELSE
    -- Read after the lock, and never earlier than the previous message: the clock may have been set back.
    head.last_at := greatest(head.last_at, date_trunc('milliseconds', clock_timestamp()));
    INSERT INTO members (room_id, user_id, joined_at) VALUES (p_room_id, p_user_id, head.last_at);
    INSERT INTO messages (id, room_id, seq, rev, type, author_id, subject_id, text, created_at)
    VALUES (p_message_id, p_room_id, head.last_seq + 1, head.last_rev + 1, 'MEMBER_JOINED', p_user_id, p_user_id, '',
            head.last_at)
    RETURNING * INTO message;
    UPDATE rooms SET member_count = head.member_count + 1 WHERE rooms.id = p_room_id;
    PERFORM record_change(p_room_id, message.seq, message.rev, head.last_at);
    SELECT value INTO epoch FROM meta WHERE key = 'epoch';
    outcome := 'joined';
  END IF;
  RETURN NEXT;
END
$$;
