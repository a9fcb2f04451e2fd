-- release: 1

-- Stores drafts in several rooms at once: `send_messages` for each room whose head is free. A room that somebody else
-- writes to at the moment is left out, so that nobody waits for it: its only row has the outcome `busy`.
--
-- `batch` is the place of the room in `p_batches`, from 1. The heads are taken in the order of their ids, and none is
-- waited for, so that calls of several instances cannot wait for each other.
CREATE OR REPLACE FUNCTION send_to_rooms(p_batches jsonb)
RETURNS TABLE (batch integer, outcome text, epoch text, last_seq integer, last_rev bigint, message messages)
LANGUAGE plpgsql VOLATILE AS $$
#variable_conflict use_column
DECLARE
  given record;
  locked uuid[];
BEGIN
  SELECT array_agg(id) INTO locked FROM (
    SELECT rooms.id FROM rooms
    WHERE rooms.id IN (SELECT b.room_id FROM jsonb_to_recordset(p_batches) AS b(room_id uuid))
    ORDER BY rooms.id FOR NO KEY UPDATE SKIP LOCKED
  ) AS free;

  FOR given IN
    SELECT b.place::integer AS place, b.room_id, b.drafts
    FROM ROWS FROM (
      jsonb_to_recordset(p_batches) AS (room_id uuid, drafts jsonb)
    ) WITH ORDINALITY AS b(room_id, drafts, place)
    ORDER BY b.place
  LOOP
    IF given.room_id = ANY (locked) OR NOT EXISTS (SELECT FROM rooms WHERE rooms.id = given.room_id) THEN
      RETURN QUERY
      SELECT given.place, sent.outcome, sent.epoch, sent.last_seq, sent.last_rev, sent.message
      FROM send_messages(given.room_id, given.drafts) AS sent;
    ELSE
      batch := given.place;
      outcome := 'busy';
      RETURN NEXT;
    END IF;
  END LOOP;
END
$$;
