/** A socket's messages on their way to graphql-ws. */
export interface OperationOrder {
  /** Takes in a message as it came. Throws nothing. */
  accept(text: string): void;
  /** Operations that have begun and are not over: also those that the client has completed and that still end. */
  readonly underWay: number;
}

/**
 * Lets an operation begin only when the one before it on the same id is over. graphql-ws takes an id for free as soon
 * as its client has completed it; an operation that still ends (it waits for the database, say) would then tell the
 * client that the new one is complete, and nobody would ever end the new one.
 *
 * @param handle begins what the message asks for; resolves when that is over, and never rejects.
 * @param onReuse called where an id is asked for that is waited for already.
 */
export function createOperationOrder(
  handle: (text: string) => Promise<void>,
  onReuse: (id: string) => void,
): OperationOrder {
  const underWay = new Set<string>();
  /** Those of them that the client has completed. */
  const ending = new Set<string>();
  /** What begins when the one of its id has ended; at most one for each. */
  const waiting = new Map<string, string>();

  async function begin(id: string, text: string): Promise<void> {
    underWay.add(id);
    await handle(text);
    underWay.delete(id);
    ending.delete(id);
    const next = waiting.get(id);
    if (next === undefined) return;
    waiting.delete(id);
    void begin(id, next);
  }

  return {
    accept(text) {
      const { type, id } = outlineOf(text);
      if (id !== undefined && type === 'subscribe') {
        if (!underWay.has(id)) return void begin(id, text);
        if (waiting.has(id)) return onReuse(id);
        if (ending.has(id)) return void waiting.set(id, text);
        // The id is in use, which graphql-ws says itself.
      } else if (id !== undefined && type === 'complete') {
        // One that never began is over.
        if (waiting.delete(id)) return;
        if (underWay.has(id)) ending.add(id);
      }
      void handle(text);
    },
    get underWay() {
      return underWay.size;
    },
  };
}

/** What is wrong with a message is for graphql-ws to say. */
function outlineOf(text: string): { type?: unknown; id?: string } {
  try {
    const message: unknown = JSON.parse(text);
    if (typeof message !== 'object' || message === null || !('id' in message)) return {};
    return {
      type: 'type' in message ? message.type : undefined,
      ...(typeof message.id === 'string' ? { id: message.id } : {}),
    };
  } catch {
    return {};
  }
}
