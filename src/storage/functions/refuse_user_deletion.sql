-- release: 1

-- A trigger of `users`. Without a row, the user's memberships would end without a message, so that their subscriptions
-- would go on.
CREATE OR REPLACE FUNCTION refuse_user_deletion()
RETURNS trigger
LANGUAGE plpgsql VOLATILE AS $$
BEGIN
  RAISE EXCEPTION 'The account % cannot be deleted by hand: run `npm run end-account -- %`.', OLD.username, OLD.username
    USING ERRCODE = 'restrict_violation';
END
$$;
