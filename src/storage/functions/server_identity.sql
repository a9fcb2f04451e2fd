-- release: 1

-- Returns the system identifier and the timeline of the server, which change when its data are restored, copied or
-- promoted. The timeline is read from the WAL that is being written: that of the last checkpoint follows long after a
-- promotion. Some managed servers refuse one of these functions or both: the result is then the identifier alone, or null.
CREATE OR REPLACE FUNCTION server_identity()
RETURNS text
LANGUAGE plpgsql STABLE AS $$
DECLARE
  identity text;
BEGIN
  BEGIN
    SELECT system_identifier INTO identity FROM pg_control_system();
    RETURN identity || '/' || ('x' || left(pg_walfile_name(pg_current_wal_lsn()), 8))::bit(32)::int;
  EXCEPTION
    -- A standby that is not promoted yet.
    WHEN object_not_in_prerequisite_state THEN RAISE;
    WHEN OTHERS THEN RETURN identity;
  END;
END
$$;
