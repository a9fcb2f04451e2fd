-- release: 2

-- Ends a membership, and adds the message of type MEMBER_LEFT (the actor is the user) or MEMBER_REMOVED. That message
-- also ends the user's subscriptions to the room. Returns one row, or none if the user is not a member.
--
-- The caller decides who may remove whom. A full room has numbers left for the removal of every member, see
-- "Limits" in the README.
CREATE OR REPLACE FUNCTION remove_member(p_room_id uuid, p_user_id uuid, p_actor_id uuid, p_message_id uuid)
RETURNS TABLE (epoch text, message messages)
LANGUAGE plpgsql VOLATILE AS $$
#variable_conflict use_column
DECLARE
  head record;
BEGIN
  -- Lock the head, then decide: the statements below see everything that was committed while this one waited.
  SELECT * INTO head FROM lock_head(p_room_id);

  DELETE FROM members WHERE room_id = p_room_id AND user_id = p_user_id;
  IF NOT FOUND THEN
    RETURN;
  END IF;

  -- Read after the lock, and never earlier than the previous message: the clock may have been set back.
  head.last_at := greatest(head.last_at, date_trunc('milliseconds', clock_timestamp()));
  INSERT INTO messages (id, room_id, seq, rev, type, author_id, subject_id, text, created_at)
  VALUES (p_message_id, p_room_id, head.last_seq + 1, head.last_rev + 1,
          CASE WHEN p_actor_id = p_user_id THEN 'MEMBER_LEFT' ELSE 'MEMBER_REMOVED' END::message_type,
          p_actor_id, p_user_id, '', head.last_at)
  RETURNING * INTO message;
  UPDATE rooms SET member_count = head.member_count - 1 WHERE rooms.id = p_room_id;
  PERFORM record_change(p_room_id, message.seq, message.rev, head.last_at);
  SELECT value INTO epoch FROM meta WHERE key = 'epoch';
  RETURN NEXT;
END
$$;
