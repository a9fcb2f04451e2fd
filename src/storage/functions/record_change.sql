-- release: 1

-- Records a room's new head, at the end of every write: for the ticks of all instances, and for the lists, see
-- `apply_activity`.
CREATE OR REPLACE FUNCTION record_change(p_room_id uuid, p_seq integer, p_rev bigint, p_at timestamptz)
RETURNS void
LANGUAGE plpgsql VOLATILE AS $$
BEGIN
  INSERT INTO recent_changes (room_id, seq, rev, at) VALUES (p_room_id, p_seq, p_rev, p_at);
  -- The release before 0.3 reads the heads there.
  IF EXISTS (SELECT FROM meta WHERE key = 'heads_in_rooms') THEN
    UPDATE rooms SET last_seq = p_seq, last_rev = p_rev WHERE id = p_room_id;
  END IF;
END
$$;
