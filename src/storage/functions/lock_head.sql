-- release: 1

-- Locks a room's head until the end of the transaction, then reads it: what other functions do first. `room_id` is null if
-- there is no such room. Without messages, `last_at` is the time of the room's creation.
--
-- The head is that of the newest message and the newest change, since no message changes the room's row.
CREATE OR REPLACE FUNCTION lock_head(p_room_id uuid, OUT room_id uuid, OUT kind room_kind, OUT member_count integer,
  OUT last_seq integer, OUT last_rev bigint, OUT last_at timestamptz)
RETURNS record
LANGUAGE plpgsql VOLATILE AS $$
#variable_conflict use_column
DECLARE
  created_at timestamptz;
BEGIN
  SELECT rooms.id, rooms.kind, rooms.member_count, rooms.created_at
  INTO room_id, kind, member_count, created_at
  FROM rooms WHERE rooms.id = p_room_id FOR NO KEY UPDATE;

  -- With a snapshot from after the lock.
  SELECT messages.seq, messages.created_at INTO last_seq, last_at
  FROM messages WHERE messages.room_id = p_room_id ORDER BY messages.seq DESC LIMIT 1;
  SELECT messages.rev INTO last_rev
  FROM messages WHERE messages.room_id = p_room_id ORDER BY messages.rev DESC LIMIT 1;
  last_seq := coalesce(last_seq, 0);
  last_rev := coalesce(last_rev, 0);
  last_at := coalesce(last_at, created_at);
END
$$;
