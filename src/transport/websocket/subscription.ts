import { type ExecutionResult, GraphQLError } from 'graphql';
import type { SubscribePayload } from 'graphql-ws';
import type { LiveReader } from '../../delivery/live.js';
import { isAccepted } from '../../graphql/documents.js';
import type { OperationWatch } from '../../graphql/hooks.js';
import type { OperationArgs, Pipeline } from '../../graphql/pipeline.js';
import { sharingOf } from '../../graphql/sharing.js';
import type { Results } from '../../graphql/subscribe.js';
import type { Connection } from './connection.js';
import type { Fanout } from './fanout.js';
import type { Member, Subscriber } from './group.js';
import type { Outbox } from './outbox.js';

/** What all subscriptions over WebSocket have in common. */
export interface SubscriptionServices {
  readonly pipeline: Pipeline;
  readonly fanout: Fanout;
}

type Result = IteratorResult<ExecutionResult, void>;

const DONE: Result = { done: true, value: undefined };

/**
 * A subscription on a socket, as the iterator that graphql-ws waits for. The pipeline serves it, as over any transport,
 * until it has everything; then its group does, past graphql-ws, and nothing of the pipeline is kept. When it must be
 * served alone again, the pipeline resumes it from where its reader is.
 *
 * A class without closures of its own, since most of many thousands only wait.
 */
export class SocketSubscription implements AsyncIterableIterator<ExecutionResult, void>, Subscriber {
  /** The pipeline's results, while it serves the subscription. */
  private source: Results | null = null;
  /** The place in a group, while that serves it. */
  private member: Member | null = null;
  /** The reader, on the way from one to the other. */
  private reader: LiveReader | null = null;
  private watch: OperationWatch | null;
  private isEnded = false;
  /** Answers `next()`. */
  private resolve: ((result: Result | Promise<Result>) => void) | null = null;

  constructor(
    private readonly services: SubscriptionServices,
    private readonly connection: Connection,
    readonly id: string,
    private readonly params: SubscribePayload,
    /** Dropped while a group serves the subscription, and made again after it. */
    private args: OperationArgs | null,
  ) {
    this.watch = args && services.pipeline.watch(args);
  }

  get outbox(): Outbox {
    return this.connection.outbox;
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  /** Must not be called again before it has answered. */
  next(): Promise<Result> {
    return new Promise((resolve) => {
      this.resolve = resolve;
      void this.advance();
    });
  }

  /** While the pipeline serves it, `next()` answers once that has ended. */
  async return(): Promise<Result> {
    this.isEnded = true;
    const { member, source } = this;
    if (member?.leave()) {
      member.reader.attachment.release();
      this.settle(DONE);
    } else await source?.return?.();
    return DONE;
  }

  onRelease(reader: LiveReader): void {
    this.member = null;
    this.reader = reader;
    void this.advance();
  }

  /** Waits for the pipeline's next result, which answers `next()`, or for the reader, which joins its group. */
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
      // A failure after the end concerns nobody.
      if (this.isEnded) this.settle(DONE);
      else this.fail(error);
    }
  }

  private async open(): Promise<Results> {
    const { pipeline } = this.services;
    this.args ??= this.argsAgain();
    const { args } = this;
    const onLive = (live: LiveReader): void => {
      this.reader = live;
    };
    const reader = this.takeReader();
    const results = reader ? pipeline.resume(args, reader, onLive) : await pipeline.open(args, onLive);
    // One that could not start ends with the protocol's `error`, like one that could not continue.
    if (!(Symbol.asyncIterator in results)) throw failureOf(results.errors);
    if (!reader) this.watch?.opened();
    if (this.isEnded) await results.return?.();
    return results;
  }

  private argsAgain(): OperationArgs {
    const { pipeline } = this.services;
    const { query, operationName, variables: variableValues } = this.params;
    const document = pipeline.prepare(query);
    if (!isAccepted(document)) throw failureOf(document);
    return { document, operationName, variableValues, contextValue: pipeline.contextOf(this.connection) };
  }

  private takeReader(): LiveReader | null {
    const { reader } = this;
    this.reader = null;
    return reader;
  }

  private join(reader: LiveReader): void {
    const { args, params, services } = this;
    if (!args) throw new Error('Only a subscription that the pipeline has served can join a group.');
    this.source = this.args = null;
    const { document } = args;
    const { schema } = services.pipeline;
    const sharing = sharingOf({ ...params, schema, document, viewerId: reader.userId });
    this.member = services.fanout.memberFor(reader, this, { ...sharing, args });
    this.member.join();
  }

  private settle(result: Result): void {
    if (result.done) this.finish([]);
    this.answer(result);
  }

  private fail(error: unknown): void {
    this.finish(error instanceof GraphQLError ? [error] : []);
    this.answer(Promise.reject(error));
  }

  private answer(result: Result | Promise<Result>): void {
    const { resolve } = this;
    this.resolve = null;
    resolve?.(result);
  }

  private finish(errors: readonly GraphQLError[]): void {
    this.watch?.finished(errors);
    this.watch = null;
  }
}

function failureOf(errors: readonly GraphQLError[] | undefined): GraphQLError {
  return errors?.[0] ?? new GraphQLError('The subscription could not start.');
}
