-- release: 1

-- The trigger of `users`: records that a profile has changed, for instances that hold messages of this user in memory.
CREATE OR REPLACE FUNCTION record_profile_change()
RETURNS trigger
LANGUAGE plpgsql VOLATILE AS $$
BEGIN
  INSERT INTO recent_changes (user_id, at) VALUES (NEW.id, clock_timestamp());
  RETURN NULL;
END
$$;
