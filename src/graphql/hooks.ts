import { type DocumentNode, type ExecutionArgs, type GraphQLError, getOperationAST } from 'graphql';
import type { Log } from '../domain/ports.js';
import type { Context } from './context.js';

/** An operation of a client. All hook calls for one operation get the same object. */
export interface Operation {
  /** From the document; if that is not valid, the `operationName` of the request. */
  readonly name: string | null;
  /** Null if the document has no such operation. */
  readonly kind: 'query' | 'mutation' | 'subscription' | null;
  /** Null if the document was rejected. */
  readonly document: DocumentNode | null;
  /** The id of the HTTP request, or of the WebSocket; null if it is not known. */
  readonly requestId: string | null;
}

export interface OperationOutcome {
  /** As sent to the client. For a subscription, only the errors that ended it. */
  readonly errors: readonly GraphQLError[];
  /** From the start of the operation to its end, in ms; for a subscription, its lifetime. */
  readonly durationMs: number;
}

/** One event, delivered to all subscribers of a group or to a single subscriber outside of groups. */
export interface EventDelivery {
  /** The same for all subscribers of a group. */
  readonly operation: Pick<Operation, 'name' | 'document'>;
  readonly subscribers: number;
  /** Size of the JSON payload that each subscriber got, in bytes of UTF-8, without framing. */
  readonly bytes: number;
  /** From the commit of the change to its delivery, in ms, by the clocks of database and server; null for a replay. */
  readonly lagMs: number | null;
}

/**
 * Callbacks for metrics, tracing and cost accounting, called for every operation on every transport. They are called
 * synchronously, so they must be fast. An error that one throws is logged and does not affect the client.
 */
export interface PipelineHooks {
  /** Called once per operation, before it is executed; also for a rejected one. */
  operationStarted?(operation: Operation): void;
  /** Called once per operation, after its result or rejection; for a subscription, after its end. */
  operationFinished?(operation: Operation, outcome: OperationOutcome): void;
  /** Called after `operationStarted`, once the subscription waits for events. Not called if it fails to start. */
  subscriptionOpened?(operation: Operation): void;
  /** Called once per opened subscription, before `operationFinished`. */
  subscriptionClosed?(operation: Operation): void;
  /** Called once per event and group of subscribers, never per subscriber. */
  eventDelivered?(delivery: EventDelivery): void;
}

/** Reports the lifecycle of one operation to the hooks. */
export interface OperationObserver {
  opened(): void;
  finished(errors: readonly GraphQLError[]): void;
}

/** Calls all registered hooks. */
export interface HookDispatcher {
  start(operation: Operation): OperationObserver;
  delivered(delivery: EventDelivery): void;
}

/** @returns null if there are no hooks, so that nothing is allocated for operations. */
export function combineHooks(registered: readonly PipelineHooks[], log: Log): HookDispatcher | null {
  if (registered.length === 0) return null;

  function call<Name extends keyof PipelineHooks>(
    name: Name,
    ...args: Parameters<NonNullable<PipelineHooks[Name]>>
  ): void {
    for (const hooks of registered) {
      const failed = (error: unknown): void => log.error({ error, hook: name }, 'A pipeline hook failed');
      try {
        // TypeScript cannot infer that `args` are the parameters of the method `name`.
        const hook = hooks[name] as ((...args: unknown[]) => unknown) | undefined;
        const returned = hook?.call(hooks, ...args);
        // TypeScript accepts an async function here too.
        if (returned instanceof Promise) returned.catch(failed);
      } catch (error) {
        failed(error);
      }
    }
  }

  return {
    start(operation) {
      const startedAt = performance.now();
      let isOpen = false;
      call('operationStarted', operation);
      return {
        opened() {
          isOpen = true;
          call('subscriptionOpened', operation);
        },
        finished(errors) {
          if (isOpen) call('subscriptionClosed', operation);
          call('operationFinished', operation, { errors, durationMs: performance.now() - startedAt });
        },
      };
    },
    delivered: (delivery) => call('eventDelivered', delivery),
  };
}

export function operationOf({
  document,
  operationName,
  contextValue,
}: Pick<ExecutionArgs, 'document' | 'operationName'> & {
  readonly contextValue?: Pick<Context, 'requestId'>;
}): Operation {
  const node = getOperationAST(document, operationName);
  return {
    name: node?.name?.value ?? operationName ?? null,
    kind: node?.operation ?? null,
    document,
    requestId: contextValue?.requestId ?? null,
  };
}
