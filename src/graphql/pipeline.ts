import {
  createSourceEventStream,
  type ExecutionArgs,
  type ExecutionResult,
  execute,
  type GraphQLError,
  type GraphQLSchema,
  getOperationAST,
} from 'graphql';
import type { LiveReader } from '../delivery/live.js';
import type { EventStream, OnLive } from '../delivery/stream.js';
import type { Log } from '../domain/ports.js';
import { type Context, createContext, type Services } from './context.js';
import { createDocuments, type Documents } from './documents.js';
import { payloadOf, toGraphQLError } from './errors.js';
import {
  combineHooks,
  type HookDispatcher,
  type OperationObserver,
  operationOf,
  type PipelineHooks,
} from './hooks.js';
import type { Admission, Client } from './limits/admission.js';
import { createCosts } from './limits/cost.js';
import { assertAnswerSize } from './limits/work.js';
import { observed } from './observed.js';
import { schema } from './schema/index.js';
import { createEventExecution, executeShared, isUnavailable, mapEvents, type Results } from './subscribe.js';

/** Whether nobody waits for the result of an operation any more. */
export type IsGone = () => boolean;

/** One operation of a prepared document. */
export interface OperationArgs extends Pick<ExecutionArgs, 'document' | 'variableValues' | 'operationName'> {
  /** Created by `contextOf`. */
  readonly contextValue: Context;
}

export type MaybePromise<Value> = Value | Promise<Value>;

export interface PipelineOptions {
  readonly services: Services;
  /** Whether clients may query the schema itself. */
  readonly introspection: boolean;
  /** The most that an operation may cost, or an event of a subscription; see `cost.ts`. */
  readonly maxCost: number;
  readonly admission: Admission;
  readonly log: Log;
  readonly hooks?: readonly PipelineHooks[] | undefined;
}

/**
 * Runs every operation of every transport: prepares its document (parse, limits, validation, cache), creates its context,
 * and executes it or subscribes. Errors in results are masked and coded.
 */
export interface Pipeline extends Documents, Pick<Admission, 'admit' | 'subscriptions'> {
  readonly schema: GraphQLSchema;
  /** For deliveries outside of the pipeline's own streams; null if no hook is registered. */
  readonly hooks: HookDispatcher | null;
  /** @param isGone asked before each read of a query, which then ends. */
  contextOf(client: Client, isGone: IsGone): Context;
  /** Executes a query or a mutation. Never rejects. */
  execute(args: OperationArgs): Promise<ExecutionResult>;
  /** Subscribes for one client. Never rejects; the stream of results rejects when it cannot continue. */
  subscribe(args: OperationArgs): Promise<Results | ExecutionResult>;
  /** Reports an operation that is rejected before its execution to the hooks, with the errors sent to the client. */
  reportRejected(
    operation: { readonly operationName?: unknown; readonly client?: Client | undefined },
    errors: readonly GraphQLError[],
  ): void;

  /*
   * The parts of `subscribe`, for a transport that serves subscribers in groups: it observes the subscription itself,
   * opens it, takes over its reader, and resumes it when the subscriber leaves its group.
   */

  /** Reports the start of a subscription; the caller reports the rest. Null if no hook is registered. */
  observe(args: OperationArgs): OperationObserver | null;
  /** Like `subscribe`, but hands the reader off once it has caught up; see `EventStream.handOff`. Reports no lifecycle. */
  open(args: OperationArgs, onLive: OnLive): Promise<Results | ExecutionResult>;
  /** Continues a subscription from its reader's position. The args must be those of the same subscription. */
  resume(args: OperationArgs, reader: LiveReader, onLive: OnLive): Results;
  /**
   * Executes an event once for a group of subscribers with equal results.
   *
   * @returns null if `data` would be null; each subscriber's own stream then reports the error. `unavailable` if a part of the
   *   server is that the event needs: it has to be executed again. Synchronous if no resolver is asynchronous.
   */
  executeShared(args: OperationArgs, event: unknown): MaybePromise<ExecutionResult | 'unavailable' | null>;
}

export function createPipeline({
  services,
  introspection,
  maxCost,
  admission,
  log,
  hooks: registered = [],
}: PipelineOptions): Pipeline {
  const costs = createCosts(schema, maxCost);
  const hooks = combineHooks(registered, log);
  const observe = (args: OperationArgs): OperationObserver | null => hooks?.start(operationOf(args)) ?? null;

  /** An error as the client receives it. What is logged about it names the request. */
  function toError(error: unknown, { contextValue }: OperationArgs): GraphQLError {
    return toGraphQLError(error, {
      error: (fields, message) => log.error({ ...fields, requestId: contextValue.requestId }, message),
    });
  }

  function masked(result: ExecutionResult, args: OperationArgs): ExecutionResult {
    if (!result.errors) return result;
    return { ...result, errors: result.errors.map((error) => toError(error, args)) };
  }

  /** Turns a rejection into a result that has only errors. */
  async function toResult<Result>(
    args: OperationArgs,
    run: () => Promise<Result>,
  ): Promise<Result | ExecutionResult> {
    try {
      return await run();
    } catch (error) {
      return { errors: [toError(error, args)] };
    }
  }

  /** Maps events to results. */
  function resultsOf(args: OperationArgs, events: AsyncIterable<unknown>): Results {
    const operation = hooks && operationOf(args);
    const executeEvent = createEventExecution({ schema, ...args });
    return mapEvents(
      events,
      async (event, isEnded) => {
        const result = masked(await executeEvent(event, isEnded), args);
        if (operation)
          hooks.delivered({
            operation,
            subscribers: 1,
            bytes: Buffer.byteLength(JSON.stringify(payloadOf(result))),
            lagMs: null,
          });
        return result;
      },
      (error) => toError(error, args),
    );
  }

  function open(args: OperationArgs, onLive?: OnLive): Promise<Results | ExecutionResult> {
    return toResult(args, async () => {
      await admission.charge(args.contextValue, costs.assertAffordable(args));
      const events = await createSourceEventStream({ schema, ...args });
      if (!isAsyncIterable(events)) return masked(events, args);
      if (onLive && canHandOff(events)) events.handOff(onLive);
      return resultsOf(args, events);
    });
  }

  return {
    schema,
    hooks,
    ...createDocuments(schema, introspection, log),
    admit: admission.admit,
    subscriptions: admission.subscriptions,
    contextOf: (client, isGone) => createContext(services, client, isGone),

    async execute(args) {
      const observer = observe(args);
      const result = await toResult(args, () =>
        admission.operations.during(args.contextValue, async () => {
          const { work } = args.contextValue;
          await admission.charge(args.contextValue, costs.assertAffordable(args));
          const isMutation = getOperationAST(args.document, args.operationName)?.operation === 'mutation';
          if (isMutation) work.runToEnd();
          const executed = await execute({ schema, ...args });
          // A query that ended early has no result; what a mutation has done is reported.
          if (work.end && !isMutation) throw work.end;
          assertAnswerSize(executed.data);
          return masked(executed, args);
        }),
      );
      // Without `data`, nothing was executed: a variable had the wrong type, for example.
      if (result.errors && !('data' in result))
        for (const { extensions } of result.errors)
          extensions.http = { status: extensions.code === 'RATE_LIMITED' ? 429 : 400 };
      observer?.finished(result.errors ?? []);
      return result;
    },

    async subscribe(args) {
      const observer = observe(args);
      const { subscriptions } = admission;
      const results = await toResult(args, async () => {
        subscriptions.enter(args.contextValue);
        const opened = await open(args);
        if (!isAsyncIterable(opened)) subscriptions.leave(args.contextValue);
        return opened;
      });
      if (isAsyncIterable(results))
        return observed(results, observer, () => subscriptions.leave(args.contextValue));
      observer?.finished(results.errors ?? []);
      return results;
    },

    reportRejected({ operationName, client }, errors) {
      const name = typeof operationName === 'string' ? operationName : null;
      hooks
        ?.start({ name, kind: null, document: null, requestId: client?.requestId ?? null })
        .finished(errors);
    },

    observe,
    open,
    resume(args, reader, onLive) {
      const events = services.subscriptions.resume(reader);
      events.handOff(onLive);
      return resultsOf(args, events);
    },
    executeShared(args, event) {
      const deliverable = (result: ExecutionResult): ExecutionResult | 'unavailable' | null => {
        if (isUnavailable(result)) return 'unavailable';
        return result.data == null ? null : masked(result, args);
      };
      const result = executeShared({ schema, ...args }, event);
      return result instanceof Promise ? result.then(deliverable) : deliverable(result);
    },
  };
}

/** Whether the source stream supports a handoff; those of all subscription fields do. */
function canHandOff(events: AsyncIterable<unknown>): events is EventStream<unknown> {
  return 'handOff' in events;
}

export function isAsyncIterable<Item>(value: AsyncIterable<Item> | object): value is AsyncIterable<Item> {
  return Symbol.asyncIterator in value;
}
