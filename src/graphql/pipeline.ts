import {
  createSourceEventStream,
  type ExecutionArgs,
  type ExecutionResult,
  execute,
  type GraphQLError,
  type GraphQLSchema,
} from 'graphql';
import type { LiveReader } from '../delivery/live.js';
import type { EventStream, OnLive } from '../delivery/stream.js';
import type { Log } from '../domain/ports.js';
import type { Authentication } from '../domain/user.js';
import { type Context, createContext, type Services } from './context.js';
import { createDocuments, type Documents } from './documents.js';
import { payloadOf, toGraphQLError } from './errors.js';
import {
  combineHooks,
  type HookCalls,
  type OperationWatch,
  operationOf,
  type PipelineHooks,
} from './hooks.js';
import { schema } from './schema/index.js';
import { executeEvent, executeShared, mapEvents, type Results } from './subscribe.js';

/** The caller of an operation: whose token it is, and the address it comes from. */
export interface Client {
  readonly authentication: Authentication;
  readonly address: string;
}

/** An operation of a prepared document. */
export interface OperationArgs extends Pick<ExecutionArgs, 'document' | 'variableValues' | 'operationName'> {
  /** As `contextOf` makes it. */
  readonly contextValue: Context;
}

export type MaybePromise<Value> = Value | Promise<Value>;

export interface PipelineOptions {
  readonly services: Services;
  /** Whether clients may query the schema. */
  readonly introspection: boolean;
  readonly log: Log;
  readonly hooks?: readonly PipelineHooks[] | undefined;
}

/**
 * What every operation goes through, on every transport: its document is prepared (parsed, limited, validated, cached),
 * its context made, and it is executed or subscribed to. Errors in results are as clients may see them.
 */
export interface Pipeline extends Documents {
  readonly schema: GraphQLSchema;
  /** For what is delivered outside of the pipeline's own streams; null if nobody watches. */
  readonly hooks: HookCalls | null;
  contextOf(client: Client): Context;
  /** Executes a query or a mutation. Never rejects. */
  execute(args: OperationArgs): Promise<ExecutionResult>;
  /** Subscribes for one client. Never rejects; the stream of results rejects when it cannot continue. */
  subscribe(args: OperationArgs): Promise<Results | ExecutionResult>;
  /** Reports an operation that is refused before it is executed, with the errors that its client gets. */
  refused(operation: { readonly operationName?: unknown }, errors: readonly GraphQLError[]): void;

  /*
   * A subscription in parts, for a transport that serves many together: it watches the subscription itself, opens it,
   * takes its reader over, and resumes it for those that must be served alone again.
   */
  watch(args: OperationArgs): OperationWatch | null;
  /** As `subscribe`, but its reader is handed over once it has everything; see `EventStream.handOver`. */
  open(args: OperationArgs, onLive: OnLive): Promise<Results | ExecutionResult>;
  /** Continues a subscription from where its reader is. The args must be those of the same subscription. */
  resume(args: OperationArgs, reader: LiveReader, onLive: OnLive): Results;
  /**
   * Executes an event once for all readers who get equal results.
   *
   * @returns null if its `data` would be null: each reader's own stream reports why. Not a promise, if nothing has to be
   *   waited for.
   */
  executeShared(args: OperationArgs, event: unknown): MaybePromise<ExecutionResult | null>;
}

export function createPipeline({ services, introspection, log, hooks: all = [] }: PipelineOptions): Pipeline {
  const hooks = combineHooks(all, log);
  const watch = (args: OperationArgs): OperationWatch | null => hooks?.start(operationOf(args)) ?? null;

  function masked(result: ExecutionResult): ExecutionResult {
    if (!result.errors) return result;
    return { ...result, errors: result.errors.map((error) => toGraphQLError(error, log)) };
  }

  const deliverable = (result: ExecutionResult) => (result.data == null ? null : masked(result));

  /** The result, or the error with which it failed as a whole. */
  async function settled<Result>(run: () => Promise<Result>): Promise<Result | ExecutionResult> {
    try {
      return await run();
    } catch (error) {
      return { errors: [toGraphQLError(error, log)] };
    }
  }

  /** The results of a stream of events, each executed in a context of its own. */
  function resultsOf(args: OperationArgs, events: AsyncIterable<unknown>): Results {
    const operation = hooks && operationOf(args);
    return mapEvents(
      events,
      async (event) => {
        const result = masked(await executeEvent({ schema, ...args }, event));
        if (operation)
          hooks.delivered({
            operation,
            subscribers: 1,
            bytes: Buffer.byteLength(JSON.stringify(payloadOf(result))),
          });
        return result;
      },
      (error) => toGraphQLError(error, log),
    );
  }

  function open(args: OperationArgs, onLive?: OnLive): Promise<Results | ExecutionResult> {
    return settled(async () => {
      const events = await createSourceEventStream({ schema, ...args });
      if (!isAsyncIterable(events)) return masked(events);
      if (onLive && canHandOver(events)) events.handOver(onLive);
      return resultsOf(args, events);
    });
  }

  return {
    schema,
    hooks,
    ...createDocuments(schema, introspection, log),
    contextOf: ({ authentication, address }) => createContext(services, authentication, address),

    async execute(args) {
      const watching = watch(args);
      const result = await settled(async () => masked(await execute({ schema, ...args })));
      // Nothing was executed, because a variable is wrong, say.
      if (result.errors && !('data' in result))
        for (const error of result.errors) error.extensions.http = { status: 400 };
      watching?.finished(result.errors ?? []);
      return result;
    },

    async subscribe(args) {
      const watching = watch(args);
      const results = await open(args);
      if (!watching) return results;
      if (isAsyncIterable(results)) return watched(results, watching);
      watching.finished(results.errors ?? []);
      return results;
    },

    refused(operation, errors) {
      const name = typeof operation.operationName === 'string' ? operation.operationName : null;
      hooks?.start({ name, kind: null, document: null }).finished(errors);
    },

    watch,
    open,
    resume(args, reader, onLive) {
      const events = services.subscriptions.resume(reader);
      events.handOver(onLive);
      return resultsOf(args, events);
    },
    executeShared(args, event) {
      const result = executeShared({ schema, ...args }, event);
      return result instanceof Promise ? result.then(deliverable) : deliverable(result);
    },
  };
}

/** Reports a stream's beginning and its end, however it ends. */
function watched(results: Results, watching: OperationWatch): Results {
  let isOver = false;
  const finish = (errors: readonly GraphQLError[]): void => {
    if (isOver) return;
    isOver = true;
    watching.finished(errors);
  };
  watching.opened();
  const observed: Results = {
    async next() {
      try {
        const result = await results.next();
        if (result.done) finish([]);
        return result;
      } catch (error) {
        // Streams fail with nothing else; see `resultsOf`.
        finish([error as GraphQLError]);
        throw error;
      }
    },
    async return() {
      finish([]);
      await results.return?.();
      return { done: true, value: undefined };
    },
    [Symbol.asyncIterator]: () => observed,
  };
  return observed;
}

/** Whether a subscription's source is a stream of ours: each of our subscription fields returns one. */
function canHandOver(events: AsyncIterable<unknown>): events is EventStream<unknown> {
  return 'handOver' in events;
}

export function isAsyncIterable<Item>(value: AsyncIterable<Item> | object): value is AsyncIterable<Item> {
  return Symbol.asyncIterator in value;
}
