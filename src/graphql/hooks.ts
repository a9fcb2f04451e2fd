import { type DocumentNode, type ExecutionArgs, type GraphQLError, getOperationAST } from 'graphql';
import type { Log } from '../domain/ports.js';

/** An operation that a client asked for. Hooks get the same object for all that happens to it. */
export interface Operation {
  /** As the document names it, or the client, where the document is not valid. */
  readonly name: string | null;
  /** Null for one that the document does not have. */
  readonly kind: 'query' | 'mutation' | 'subscription' | null;
  /** Null for one whose document was refused. */
  readonly document: DocumentNode | null;
}

export interface OperationOutcome {
  /** As the client got them; of a subscription, those that ended it. */
  readonly errors: readonly GraphQLError[];
  /** From the start of the operation to its end, in ms: for a subscription, how long it lasted. */
  readonly durationMs: number;
}

/** An event that was delivered to all subscribers of one group, or to one subscriber who is served alone. */
export interface EventDelivery {
  /** Of the first subscriber, where they are many: their documents and operations are equal. */
  readonly operation: Pick<Operation, 'name' | 'document'>;
  readonly subscribers: number;
  /** Length of the JSON that each subscriber got, in bytes of UTF-8, without its frame. */
  readonly bytes: number;
}

/**
 * What metrics, tracing and cost limits see of the pipeline: every operation, on every transport. Each method is called
 * synchronously, so it must be quick. What it throws is logged, and changes nothing for the client.
 */
export interface PipelineHooks {
  /** Once per operation, before anything is executed; also for operations that are refused. */
  operationStarted?(operation: Operation): void;
  /** Once per operation, after its result, its refusal or, for a subscription, its end. */
  operationFinished?(operation: Operation, outcome: OperationOutcome): void;
  /** Between a subscription's start and finish, once its events are awaited. Not called if it could not start. */
  subscriptionOpened?(operation: Operation): void;
  /** Once per opened subscription, before its finish. */
  subscriptionClosed?(operation: Operation): void;
  /** Once per event and group of subscribers, never per subscriber. */
  eventDelivered?(delivery: EventDelivery): void;
}

/** What an operation reports about itself. */
export interface OperationWatch {
  opened(): void;
  finished(errors: readonly GraphQLError[]): void;
}

/** All hooks as one. */
export interface HookCalls {
  start(operation: Operation): OperationWatch;
  delivered(delivery: EventDelivery): void;
}

/** @returns null if there are no hooks, so that nothing is made for operations that nobody watches. */
export function combineHooks(all: readonly PipelineHooks[], log: Log): HookCalls | null {
  if (all.length === 0) return null;

  function call<Name extends keyof PipelineHooks>(
    name: Name,
    ...args: Parameters<NonNullable<PipelineHooks[Name]>>
  ): void {
    for (const hooks of all) {
      try {
        // TypeScript does not follow that the arguments belong to the method of this name.
        (hooks[name] as ((...args: unknown[]) => void) | undefined)?.call(hooks, ...args);
      } catch (error) {
        log.error({ error, hook: name }, 'A pipeline hook failed');
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
}: Pick<ExecutionArgs, 'document' | 'operationName'>): Operation {
  const found = getOperationAST(document, operationName);
  return { name: found?.name?.value ?? operationName ?? null, kind: found?.operation ?? null, document };
}
