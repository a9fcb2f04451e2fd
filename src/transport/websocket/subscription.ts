import { type ExecutionArgs, type ExecutionResult, GraphQLError } from 'graphql';
import type { SubscribePayload } from 'graphql-ws';
import type { Live, LiveReader } from '../../delivery/live.js';
import type { Context } from '../../graphql/context.js';
import { sharingOf } from '../../graphql/sharing.js';
import type { Connection } from './connection.js';
import type { Fanout, Member, Subscriber } from './fanout.js';
import type { Outbox } from './outbox.js';

/** An operation that the pipeline is ready to run. */
export interface Prepared {
  readonly args: ExecutionArgs;
  subscribe(args: ExecutionArgs): Promise<AsyncIterable<ExecutionResult> | ExecutionResult>;
}

/** What all subscriptions over WebSocket have in common. */
export interface SubscriptionServices {
  readonly fanout: Fanout;
  prepare(connection: Connection, params: SubscribePayload): Promise<Prepared | readonly GraphQLError[]>;
}

type Result = IteratorResult<ExecutionResult, undefined>;
type Source = AsyncIterator<ExecutionResult>;

const DONE: Result = { done: true, value: undefined };

/**
 * A subscription on a socket, as the iterator that graphql-ws waits for. The pipeline serves it, as over any transport,
 * until it has everything; then its group does, past graphql-ws, and of the pipeline nothing is left. Where it must be
 * served alone again, the pipeline subscribes again, and the domain goes on where the reader is.
 *
 * A class without closures of its own, since most of many thousands wait for something to happen.
 */
export class SocketSubscription implements AsyncIterableIterator<ExecutionResult>, Live, Subscriber {
  /** The pipeline's, while that serves it. */
  private source: Source | null = null;
  /** While a group serves it. */
  private member: Member | null = null;
  /** On the way from one to the other. */
  private reader: LiveReader | null = null;
  private isEnded = false;
  /** Answers `next()`. */
  private resolve: ((result: Result | Promise<Result>) => void) | null = null;

  constructor(
    private readonly services: SubscriptionServices,
    private readonly connection: Connection,
    readonly id: string,
    private readonly params: SubscribePayload,
    /** What the pipeline subscribes by; made again where it has to once more. */
    private prepared: Prepared | null,
  ) {}

  get outbox(): Outbox {
    return this.connection.outbox;
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  /** Not to be called again before it has answered. */
  next(): Promise<Result> {
    return new Promise((resolve) => {
      this.resolve = resolve;
      void this.advance();
    });
  }

  /** Where the pipeline is at work, `next()` tells when that has ended. */
  async return(): Promise<Result> {
    this.isEnded = true;
    const { member, source } = this;
    if (member?.leave()) {
      member.reader.attachment.release();
      this.settle(DONE);
    } else await source?.return?.();
    return DONE;
  }

  follow(reader: LiveReader): void {
    this.reader = reader;
  }

  takeBack(): LiveReader | null {
    const { reader } = this;
    this.reader = null;
    return reader;
  }

  onRelease(reader: LiveReader): void {
    this.member = null;
    this.reader = reader;
    void this.advance();
  }

  /** Asks the pipeline for what comes next: an answer to `next()`, or that the reader is live. */
  private async advance(): Promise<void> {
    try {
      this.source ??= await this.open();
      const result: Result = await this.source.next();
      const reader = this.takeBack();
      if (reader && !this.isEnded) this.join(reader);
      else {
        reader?.attachment.release();
        this.settle(result);
      }
    } catch (error) {
      // Where the pipeline failed before the domain could take them back.
      this.takeBack()?.attachment.release();
      // What fails after the end is nobody's any more.
      this.settle(this.isEnded ? DONE : Promise.reject(error));
    }
  }

  private async open(): Promise<Source> {
    this.prepared ??= await this.prepareAgain();
    const { args, subscribe } = this.prepared;
    // As `createContext` made it; Yoga's types know only what it was made of.
    (args.contextValue as Context).live = this;
    const result = await subscribe(args);
    // One that could not start ends with the protocol's `error`, like one that could not go on.
    if (!(Symbol.asyncIterator in result)) throw failureOf(result.errors);
    const source = result[Symbol.asyncIterator]();
    if (this.isEnded) await source.return?.();
    return source;
  }

  private async prepareAgain(): Promise<Prepared> {
    const prepared = await this.services.prepare(this.connection, this.params);
    if ('args' in prepared) return prepared;
    throw failureOf(prepared);
  }

  private join(reader: LiveReader): void {
    const { prepared, params } = this;
    if (!prepared) throw new Error('Only what the pipeline has served can be live.');
    this.source = this.prepared = null;
    const { args } = prepared;
    const { schema, document } = args;
    const sharing = sharingOf({ ...params, schema, document, viewerId: reader.userId });
    // The group may outlive us: it gets nothing that holds our socket.
    const { services, authentication, address } = args.contextValue as Context;
    this.member = this.services.fanout.memberFor(reader, this, {
      ...sharing,
      args: { ...args, contextValue: { services, authentication, address } },
    });
    this.member.join();
  }

  private settle(result: Result | Promise<Result>): void {
    const { resolve } = this;
    this.resolve = null;
    resolve?.(result);
  }
}

function failureOf(errors: readonly GraphQLError[] | undefined): GraphQLError {
  return errors?.[0] ?? new GraphQLError('The subscription could not start.');
}
