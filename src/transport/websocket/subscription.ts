import { type ExecutionResult, GraphQLError } from 'graphql';
import type { SubscribePayload } from 'graphql-ws';
import type { LiveReader } from '../../delivery/live.js';
import { isAccepted } from '../../graphql/documents.js';
import type { OperationObserver } from '../../graphql/hooks.js';
import type { OperationArgs, Pipeline } from '../../graphql/pipeline.js';
import { sharingOf } from '../../graphql/sharing.js';
import type { Results } from '../../graphql/subscribe.js';
import type { Connection } from './connection.js';
import type { Fanout } from './fanout.js';
import type { GroupSubscriber, Subscription } from './group.js';
import type { Outbox } from './outbox.js';

/** Services shared by all WebSocket subscriptions. */
export interface SubscriptionServices {
  readonly pipeline: Pipeline;
  readonly fanout: Fanout;
}

type Result = IteratorResult<ExecutionResult, void>;

const DONE: Result = { done: true, value: undefined };

/**
 * A subscription on a WebSocket, as the iterator that graphql-ws consumes. The pipeline serves it until it has caught up.
 * Then the pipeline's part is dropped, and a group writes its frames directly to the socket, while `next()` stays pending.
 * When the group releases it, the pipeline resumes it from its reader's position.
 *
 * A class without closures of its own, because an instance holds many thousands, most of them idle.
 */
export class SocketSubscription implements AsyncIterableIterator<ExecutionResult, void>, Subscription {
  /** Set while the pipeline serves the subscription. */
  private source: Results | null = null;
  /** Set while a group serves the subscription. */
  private subscriber: GroupSubscriber | null = null;
  /** Set during the handoff from one to the other. */
  private reader: LiveReader | null = null;
  private observer: OperationObserver | null = null;
  private isEnded = false;
  /** Whether it counts as one of its client's subscriptions. */
  private isCounted = false;
  /** Resolves the pending `next()`. */
  private resolve: ((result: Result | Promise<Result>) => void) | null = null;

  constructor(
    private readonly services: SubscriptionServices,
    private readonly connection: Connection,
    readonly id: string,
    private readonly params: SubscribePayload,
    /** Dropped while a group serves the subscription, and prepared again afterwards. */
    private args: OperationArgs | null,
  ) {}

  get outbox(): Outbox {
    return this.connection.outbox;
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  /** Must not be called while a previous call is pending. */
  next(): Promise<Result> {
    return new Promise((resolve) => {
      this.resolve = resolve;
      void this.advance();
    });
  }

  /** Ends the subscription. A pending `next()` resolves as done; if the pipeline serves it, once that has ended. */
  async return(): Promise<Result> {
    this.isEnded = true;
    const { subscriber, source } = this;
    if (subscriber?.leave()) {
      subscriber.reader.attachment.release();
      this.settle(DONE);
    } else await source?.return?.();
    return DONE;
  }

  onRelease(reader: LiveReader): void {
    this.subscriber = null;
    this.reader = reader;
    void this.advance();
  }

  /** Waits until the pipeline either yields a result for `next()` or hands off the reader, which then joins its group. */
  private async advance(): Promise<void> {
    try {
      this.source ??= await this.open();
      const result: Result = await this.source.next();
      const reader = this.takeReader();
      if (reader && !this.isEnded) this.join(reader);
      else {
        reader?.attachment.release();
        this.settle(result);
      }
    } catch (error) {
      // The pipeline failed before it could resume the reader.
      this.takeReader()?.attachment.release();
      // After the end, the error has no recipient.
      if (this.isEnded) this.settle(DONE);
      else this.fail(error);
    }
  }

  private async open(): Promise<Results> {
    const { pipeline } = this.services;
    this.args ??= this.prepareAgain();
    const { args } = this;
    const onLive = (live: LiveReader): void => {
      this.reader = live;
    };
    const { reader } = this;
    // The first time, not in the constructor: graphql-ws never calls `next()` if the client has completed it by then.
    if (!reader) {
      this.observer = pipeline.observe(args);
      pipeline.subscriptions.enter(this.connection);
      this.isCounted = true;
    }
    const results = reader ? pipeline.resume(args, reader, onLive) : await pipeline.open(args, onLive);
    if (reader) this.takeReader();
    // A subscription that cannot start ends with an `error` message, like one that cannot continue.
    if (!(Symbol.asyncIterator in results)) throw firstError(results.errors);
    if (!reader) this.observer?.opened();
    if (this.isEnded) await results.return?.();
    return results;
  }

  private prepareAgain(): OperationArgs {
    const { pipeline } = this.services;
    const { query, operationName, variables: variableValues } = this.params;
    const document = pipeline.prepare(query);
    if (!isAccepted(document)) throw firstError(document);
    return {
      document,
      operationName,
      variableValues,
      contextValue: pipeline.contextOf(this.connection, () => false),
    };
  }

  private takeReader(): LiveReader | null {
    const { reader } = this;
    this.reader = null;
    return reader;
  }

  private join(reader: LiveReader): void {
    const { args, params, services } = this;
    if (!args) throw new Error('A subscription cannot join a group before the pipeline has opened it.');
    this.source = this.args = null;
    const { document } = args;
    const { schema } = services.pipeline;
    const sharing = sharingOf({ ...params, schema, document, viewerId: reader.userId });
    this.subscriber = services.fanout.createGroupSubscriber(reader, this, { ...sharing, args });
    this.subscriber.join();
  }

  private settle(result: Result): void {
    if (result.done) this.reportEnd([]);
    this.resolveNext(result);
  }

  private fail(error: unknown): void {
    this.reportEnd(error instanceof GraphQLError ? [error] : []);
    this.resolveNext(Promise.reject(error));
  }

  private resolveNext(result: Result | Promise<Result>): void {
    const { resolve } = this;
    this.resolve = null;
    resolve?.(result);
  }

  private reportEnd(errors: readonly GraphQLError[]): void {
    if (this.isCounted) this.services.pipeline.subscriptions.leave(this.connection);
    this.isCounted = false;
    this.observer?.finished(errors);
    this.observer = null;
  }
}

function firstError(errors: readonly GraphQLError[] | undefined): GraphQLError {
  return errors?.[0] ?? new GraphQLError('The subscription could not start.');
}
