import {
  type DocumentNode,
  GraphQLError,
  type GraphQLSchema,
  getOperationAST,
  type OperationDefinitionNode,
} from 'graphql';
import type { ErrorCode } from '../errors.js';
import { type CostPlan, compileCost, type VariableValues } from './cost-plan.js';

export interface Operation {
  readonly document: DocumentNode;
  readonly operationName?: string | null | undefined;
  readonly variableValues?: VariableValues;
}

export interface Costs {
  /** The cost of an operation of a valid document; 0 if there is no such operation. */
  of(operation: Operation): number;
  /**
   * @returns the operation's cost.
   * @throws GraphQLError `LIMIT_EXCEEDED`, with `cost` and `maxCost` in its extensions, if the operation costs too much;
   *   `BAD_USER_INPUT` for a subscription that selects a list below its event.
   */
  assertAffordable(operation: Operation): number;
}

export function createCosts(schema: GraphQLSchema, maxCost: number): Costs {
  const plans = new WeakMap<OperationDefinitionNode, CostPlan>();

  function planOf({ document, operationName }: Operation): CostPlan | null {
    const operation = getOperationAST(document, operationName);
    if (!operation) return null;
    let plan = plans.get(operation);
    if (!plan) {
      plan = compileCost(schema, document, operation);
      plans.set(operation, plan);
    }
    return plan;
  }

  return {
    of(operation) {
      return planOf(operation)?.cost(operation.variableValues) ?? 0;
    },
    assertAffordable(operation) {
      const plan = planOf(operation);
      if (!plan) return 0;
      if (plan.isSubscription && plan.hasConnections) throw listInSubscription();
      const cost = plan.cost(operation.variableValues);
      if (cost > maxCost) throw tooExpensive(cost, maxCost);
      return cost;
    },
  };
}

function tooExpensive(cost: number, maxCost: number): GraphQLError {
  return new GraphQLError(
    `The operation costs ${cost}, more than ${maxCost}: select fewer fields, or smaller pages with \`first\` or \`last\`. Every field costs 1, a list 10 more, and what is selected of its items counts once for each item of the page.`,
    { extensions: { code: 'LIMIT_EXCEEDED' satisfies ErrorCode, cost, maxCost } },
  );
}

function listInSubscription(): GraphQLError {
  return new GraphQLError(
    'A subscription must not select a list, such as `messages`, below its event: it would be read for each event. Query it separately.',
    { extensions: { code: 'BAD_USER_INPUT' satisfies ErrorCode } },
  );
}
