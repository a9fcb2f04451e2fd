import { MessageType } from 'graphql-ws';
import { REQUEST_LIMITS } from '../../graphql/limits/request.js';
import { CLOSE, type CloseReason } from './close-codes.js';

/** Handles the messages of one socket, in order. */
export interface OperationHandler {
  /**
   * Handles a message. Resolves when its operation is over; never rejects.
   *
   * @param message the parsed JSON, or the text itself if it is not JSON.
   */
  handle(message: unknown): Promise<void>;
  /** Called for a message that violates the protocol. Must close the socket. */
  onViolation(reason: CloseReason): void;
}

/** The types of messages that only the server sends. graphql-ws would throw. */
const SERVER_TYPES: ReadonlySet<unknown> = new Set([
  MessageType.ConnectionAck,
  MessageType.Next,
  MessageType.Error,
]);

/**
 * The state of an operation id: its operation is `running`, or `ending` after the client's `complete`; or the `subscribe`
 * message `next` waits for that end.
 */
type Stage = 'running' | 'ending' | { readonly next: unknown };

/**
 * Passes a socket's messages to graphql-ws, and starts an operation only after the previous one with the same id is over.
 * graphql-ws considers an id free as soon as its client completes it. If the old operation was still ending (waiting for
 * the database, for example), its `complete` would apply to the new operation, which nothing would end any more.
 *
 * A class with a single map, since each socket has one.
 */
export class OperationOrder {
  private readonly stages = new Map<string, Stage>();

  constructor(private readonly handler: OperationHandler) {}

  /** The number of operations that are not over, including those that are still ending. */
  get inProgress(): number {
    return this.stages.size;
  }

  /** Accepts a message from the socket. Never throws. */
  accept(text: string): void {
    const message = parse(text);
    const { type, id } = typeAndIdOf(message);
    if (SERVER_TYPES.has(type)) return void this.handler.onViolation(CLOSE.unexpectedType);
    if (id !== undefined && id.length > REQUEST_LIMITS.operationIdLength)
      return void this.handler.onViolation(CLOSE.idTooLong);
    const stage = id === undefined ? undefined : this.stages.get(id);
    if (id !== undefined && type === 'subscribe') {
      if (stage === undefined) return void this.start(id, message);
      if (stage === 'ending') return void this.stages.set(id, { next: message });
      // graphql-ws would put the id into the close reason, which has at most 123 bytes.
      return void this.handler.onViolation(CLOSE.idInUse);
    }
    if (id !== undefined && type === 'complete' && stage !== undefined) {
      this.stages.set(id, 'ending');
      // The completed operation was still waiting to start, so graphql-ws does not know it.
      if (typeof stage === 'object') return;
    }
    void this.handler.handle(message);
  }

  private start(id: string, message: unknown): void {
    this.stages.set(id, 'running');
    void this.handler.handle(message).then(() => {
      const stage = this.stages.get(id);
      if (typeof stage === 'object') this.start(id, stage.next);
      else this.stages.delete(id);
    });
  }
}

/** Parses a message. Invalid JSON and JSON strings stay texts: graphql-ws would parse a string a second time. */
function parse(text: string): unknown {
  try {
    const message: unknown = JSON.parse(text);
    return typeof message === 'string' ? text : message;
  } catch {
    return text;
  }
}

/** The type and the id of a message, unchecked: graphql-ws validates messages. */
function typeAndIdOf(message: unknown): { type?: unknown; id?: string } {
  if (typeof message !== 'object' || message === null) return {};
  return {
    type: 'type' in message ? message.type : undefined,
    ...('id' in message && typeof message.id === 'string' ? { id: message.id } : {}),
  };
}
