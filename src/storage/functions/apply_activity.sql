-- release: 1

-- Moves rooms up in the lists: writes the time of the newest message of rooms that have changed since a transaction into
-- `rooms.last_activity_at`, for 50 rooms at most. Rooms that are locked are left for the next call. Forgets changes from
-- before another transaction.
--
-- `applied_to` is the transaction to start at the next time; null if rooms are left, or if another instance does the same
-- at the moment. `updated` is the number of rooms that were moved.
CREATE OR REPLACE FUNCTION apply_activity(p_since xid8, p_forget xid8, OUT applied_to xid8, OUT updated integer)
RETURNS record
LANGUAGE plpgsql VOLATILE AS $$
#variable_conflict use_column
DECLARE
  upto xid8;
  total integer;
BEGIN
  updated := 0;
  -- An arbitrary number, the same for all instances and releases.
  IF NOT pg_try_advisory_xact_lock(7265392) THEN
    RETURN;
  END IF;
  upto := pg_snapshot_xmin(pg_current_snapshot());

  WITH latest AS (
    SELECT room_id, max(at) AS at FROM recent_changes WHERE xid >= p_since AND room_id IS NOT NULL GROUP BY room_id
  ), behind AS (
    SELECT rooms.id, latest.at FROM latest JOIN rooms ON rooms.id = latest.room_id WHERE rooms.last_activity_at < latest.at
  ), due AS (
    SELECT rooms.id, behind.at FROM behind JOIN rooms ON rooms.id = behind.id LIMIT 50
    FOR NO KEY UPDATE OF rooms SKIP LOCKED
  ), moved AS (
    UPDATE rooms SET last_activity_at = due.at FROM due WHERE rooms.id = due.id RETURNING rooms.id
  )
  SELECT (SELECT count(*) FROM behind), (SELECT count(*) FROM moved) INTO total, updated;

  IF total = updated THEN
    DELETE FROM recent_changes WHERE xid < least(p_forget, p_since);
    applied_to := upto;
  END IF;
END
$$;
