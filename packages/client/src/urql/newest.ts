/** How many changed messages are remembered. */
const MAX_CHANGED = 1000;

interface Message {
  readonly id: string;
  readonly revision: number;
}

/**
 * Remembers the latest copy of each changed message, so that a result that was under way for long does not undo a change.
 *
 * @returns a function that replaces the older copies in a result. Messages need `__typename`, `id` and `revision`.
 */
export function createNewest(): <Data>(data: Data) => Data {
  const changed = new Map<string, Message>();

  function newest(value: unknown): unknown {
    if (Array.isArray(value)) return value.map(newest);
    if (typeof value !== 'object' || value === null) return value;
    const copy = Object.fromEntries(Object.entries(value).map(([key, each]) => [key, newest(each)]));
    return isMessage(copy) ? latest(copy) : copy;
  }

  function latest(message: Message): Message {
    const { id, revision } = message;
    const known = changed.get(id);
    if (known && known.revision > revision) {
      // Only what was asked for.
      const fields = Object.entries(known).filter(([name]) => name in message);
      return { ...message, ...Object.fromEntries(fields) };
    }
    // Revision 1 is the message as it was sent: no copy is older.
    if (revision > 1) {
      changed.delete(id);
      changed.set(id, { ...known, ...message });
      const [oldest] = changed.keys();
      if (changed.size > MAX_CHANGED && oldest !== undefined) changed.delete(oldest);
    }
    return message;
  }

  // The copy has the same shape.
  return <Data>(data: Data) => newest(data) as Data;
}

function isMessage(value: object): value is Message {
  return (
    '__typename' in value &&
    value.__typename === 'Message' &&
    'id' in value &&
    typeof value.id === 'string' &&
    'revision' in value &&
    typeof value.revision === 'number'
  );
}
