/** What takes a socket's messages, in their order. */
export interface OperationOwner {
  /** Begins what the message asks for; resolves when that is over, and never rejects. */
  handle(text: string): Promise<void>;
  /** Called where an id is asked for that is waited for already. */
  onReuse(id: string): void;
}

/** How far an operation is: `under-way`, `ending` since its client completed it, or what begins when that has ended. */
type Stage = 'under-way' | 'ending' | { readonly next: string };

/**
 * A socket's messages on their way to graphql-ws: lets an operation begin only when the one before it on the same id is
 * over. graphql-ws takes an id for free as soon as its client has completed it; an operation that still ends (it waits
 * for the database, say) would then tell the client that the new one is complete, and nobody would ever end the new one.
 *
 * A class with one map, as there is one for every socket.
 */
export class OperationOrder {
  private readonly stages = new Map<string, Stage>();

  constructor(private readonly owner: OperationOwner) {}

  /** Operations that have begun and are not over: also those that the client has completed and that still end. */
  get underWay(): number {
    return this.stages.size;
  }

  /** Takes in a message as it came. Throws nothing. */
  accept(text: string): void {
    const { type, id } = outlineOf(text);
    const stage = id === undefined ? undefined : this.stages.get(id);
    if (id !== undefined && type === 'subscribe') {
      if (stage === undefined) return void this.begin(id, text);
      if (stage === 'ending') return void this.stages.set(id, { next: text });
      if (stage !== 'under-way') return void this.owner.onReuse(id);
      // The id is in use, which graphql-ws says itself.
    } else if (id !== undefined && type === 'complete' && stage !== undefined) {
      this.stages.set(id, 'ending');
      // One that never began is over.
      if (typeof stage === 'object') return;
    }
    void this.owner.handle(text);
  }

  private begin(id: string, text: string): void {
    this.stages.set(id, 'under-way');
    void this.owner.handle(text).then(() => {
      const stage = this.stages.get(id);
      if (typeof stage === 'object') this.begin(id, stage.next);
      else this.stages.delete(id);
    });
  }
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
