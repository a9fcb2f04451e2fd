-- release: 1

-- A trigger of `users`: records that a profile has changed, or that an account has ended, for the ticks of all instances.
CREATE OR REPLACE FUNCTION record_user_change()
RETURNS trigger
LANGUAGE plpgsql VOLATILE AS $$
BEGIN
  INSERT INTO recent_changes (user_id, at) VALUES (NEW.id, clock_timestamp());
  RETURN NULL;
END
$$;
