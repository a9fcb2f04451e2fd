import { LIMITS } from '../../graphql/limits.js';

/** What takes a socket's messages, in their order. */
export interface OperationOwner {
  /**
   * Begins what the message asks for; resolves when that is over, and never rejects.
   *
   * @param message parsed; the text itself where it is none.
   */
  handle(message: unknown): Promise<void>;
  /** Called where an id is asked for that is waited for already. */
  onReuse(): void;
  /** Called where an id is longer than may be. */
  onLongId(): void;
}

/** How far an operation is: `under-way`, `ending` since its client completed it, or what begins when that has ended. */
type Stage = 'under-way' | 'ending' | { readonly next: unknown };

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
    const message = parse(text);
    const { type, id } = outlineOf(message);
    if (id !== undefined && id.length > LIMITS.operationIdLength) {
      this.owner.onLongId();
      return;
    }
    const stage = id === undefined ? undefined : this.stages.get(id);
    if (id !== undefined && type === 'subscribe') {
      if (stage === undefined) return void this.begin(id, message);
      if (stage === 'ending') return void this.stages.set(id, { next: message });
      if (stage !== 'under-way') return void this.owner.onReuse();
      // The id is in use, which graphql-ws says itself.
    } else if (id !== undefined && type === 'complete' && stage !== undefined) {
      this.stages.set(id, 'ending');
      // One that never began is over.
      if (typeof stage === 'object') return;
    }
    void this.owner.handle(message);
  }

  private begin(id: string, message: unknown): void {
    this.stages.set(id, 'under-way');
    void this.owner.handle(message).then(() => {
      const stage = this.stages.get(id);
      if (typeof stage === 'object') this.begin(id, stage.next);
      else this.stages.delete(id);
    });
  }
}

/** What is no message stays a text: a string in JSON must not count as what is written in it. */
function parse(text: string): unknown {
  try {
    const message: unknown = JSON.parse(text);
    return typeof message === 'string' ? text : message;
  } catch {
    return text;
  }
}

/** What is wrong with a message is for graphql-ws to say. */
function outlineOf(message: unknown): { type?: unknown; id?: string } {
  if (typeof message !== 'object' || message === null || !('id' in message)) return {};
  return {
    type: 'type' in message ? message.type : undefined,
    ...(typeof message.id === 'string' ? { id: message.id } : {}),
  };
}
