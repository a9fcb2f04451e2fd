-- release: 1

-- Creates a user. Returns one row, or none if the username is taken, or if it has characters beyond ASCII and looks like
-- another one. Names that look alike are created one after the other.
CREATE OR REPLACE FUNCTION create_user(p_id uuid, p_username text, p_username_key text, p_username_skeleton text,
  p_display_name text, p_password_hash text)
RETURNS SETOF users
LANGUAGE plpgsql VOLATILE AS $$
#variable_conflict use_column
BEGIN
  -- The statements below see every name that was created while this one waited.
  PERFORM pg_advisory_xact_lock(hashtextextended(p_username_skeleton, 0));

  IF p_username ~ '[^[:ascii:]]' AND EXISTS (
    SELECT FROM users WHERE username_skeleton = p_username_skeleton
  ) THEN
    RETURN;
  END IF;

  RETURN QUERY
  INSERT INTO users (id, username, username_key, username_skeleton, display_name, password_hash)
  VALUES (p_id, p_username, p_username_key, p_username_skeleton, p_display_name, p_password_hash)
  ON CONFLICT (username_key) DO NOTHING
  RETURNING *;
END
$$;
