import {
  type ArgumentNode,
  type DocumentNode,
  type FieldNode,
  type FragmentDefinitionNode,
  type GraphQLObjectType,
  type GraphQLSchema,
  getNamedType,
  isAbstractType,
  isCompositeType,
  isObjectType,
  Kind,
  type OperationDefinitionNode,
  type SelectionSetNode,
  type ValueNode,
} from 'graphql';
import { DEFAULT_PAGE_SIZE, MAX_PAGE_SIZE } from '../../domain/page.js';

/*
 * The cost of an operation, known before it runs: how many fields its answer can have at most. Every field costs 1; a list
 * costs 10 more, for its query, and what is selected of its items counts once for each item of its page. Of an interface or
 * a union, the most expensive type counts.
 *
 * A document is compiled once. Only the sizes of pages that are variables differ from one request to the next.
 */

const FIELD_COST = 1;
const CONNECTION_COST = 10;

export type VariableValues = { readonly [name: string]: unknown } | null | undefined;

export interface CostPlan {
  readonly isSubscription: boolean;
  readonly hasConnections: boolean;
  cost(variables: VariableValues): number;
}

/** The size of a page, as its arguments give it: numbers, and names of variables with their defaults. */
interface PageSize {
  readonly given: readonly (number | { readonly variable: string; readonly fallback: number | null })[];
}

/** A selection set of one type: its cost, and of a connection, that of each item. */
interface Step {
  readonly fixed: number;
  readonly perItem: number;
  /** Parts that are computed for each request, by the index of their step. */
  readonly parts: readonly {
    readonly step: number;
    readonly page: PageSize | null;
    readonly isItem: boolean;
  }[];
  /** Instead of the above: the most expensive of these steps. */
  readonly oneOf: readonly number[] | null;
}

/** Compiles an operation of a valid document: without cycles of fragments, for example. */
export function compileCost(
  schema: GraphQLSchema,
  document: DocumentNode,
  operation: OperationDefinitionNode,
): CostPlan {
  const fragments = new Map<string, FragmentDefinitionNode>();
  for (const definition of document.definitions)
    if (definition.kind === Kind.FRAGMENT_DEFINITION) fragments.set(definition.name.value, definition);
  const defaults = new Map(
    operation.variableDefinitions?.map(({ variable, defaultValue }) => [variable.name.value, defaultValue]),
  );
  /** Each after those that it consists of. A fragment is one step, however often it is used. */
  const steps: Step[] = [];
  const known = new Map<SelectionSetNode, Map<string, number>>();
  let hasConnections = false;
  let hasVariables = false;

  function stepOf(selectionSet: SelectionSetNode, typeName: string): number {
    const ofTypes = known.get(selectionSet) ?? new Map<string, number>();
    known.set(selectionSet, ofTypes);
    let index = ofTypes.get(typeName);
    if (index === undefined) {
      const type = schema.getType(typeName);
      const step = isAbstractType(type)
        ? eitherOf(schema.getPossibleTypes(type).map(({ name }) => stepOf(selectionSet, name)))
        : isObjectType(type)
          ? objectStep(selectionSet, type)
          : eitherOf([]);
      index = steps.push(step) - 1;
      ofTypes.set(typeName, index);
    }
    return index;
  }

  function objectStep(selectionSet: SelectionSetNode, type: GraphQLObjectType): Step {
    const fields = new Map<string, FieldNode[]>();
    collect(selectionSet, type, fields, new Set());
    const isConnection = isConnectionType(type);
    let fixed = 0;
    let perItem = 0;
    const parts: Step['parts'][number][] = [];
    for (const nodes of fields.values()) {
      const [field] = nodes;
      const definition = field && type.getFields()[field.name.value];
      // Introspection, which the limits of documents bound.
      if (!field || !definition) continue;
      const named = getNamedType(definition.type);
      const isList = isObjectType(named) && isConnectionType(named);
      if (isList) hasConnections = true;
      const isItem = isConnection && (field.name.value === 'edges' || field.name.value === 'nodes');
      if (isItem) perItem += FIELD_COST;
      else fixed += isList ? FIELD_COST + CONNECTION_COST : FIELD_COST;
      if (!isCompositeType(named)) continue;
      const page = isList ? pageSizeOf(field) : null;
      for (const selected of new Set(nodes.map(({ selectionSet: each }) => each)))
        if (selected) parts.push({ step: stepOf(selected, named.name), page, isItem });
    }
    return { fixed, perItem, parts, oneOf: null };
  }

  /** The fields that are selected of an object of this type, by response key. */
  function collect(
    { selections }: SelectionSetNode,
    type: GraphQLObjectType,
    fields: Map<string, FieldNode[]>,
    visited: Set<string>,
  ): void {
    for (const selection of selections) {
      if (selection.kind === Kind.FIELD) {
        const key = (selection.alias ?? selection.name).value;
        const nodes = fields.get(key);
        if (nodes) nodes.push(selection);
        else fields.set(key, [selection]);
        continue;
      }
      let fragment: {
        typeCondition?: { name: { value: string } } | undefined;
        selectionSet: SelectionSetNode;
      };
      if (selection.kind === Kind.FRAGMENT_SPREAD) {
        const definition = fragments.get(selection.name.value);
        if (!definition || visited.has(selection.name.value)) continue;
        visited.add(selection.name.value);
        fragment = definition;
      } else fragment = selection;
      if (applies(fragment.typeCondition?.name.value, type))
        collect(fragment.selectionSet, type, fields, visited);
    }
  }

  function applies(condition: string | undefined, type: GraphQLObjectType): boolean {
    if (condition === undefined || condition === type.name) return true;
    const abstract = schema.getType(condition);
    return isAbstractType(abstract) && schema.isSubType(abstract, type);
  }

  function pageSizeOf({ arguments: given = [] }: FieldNode): PageSize {
    return {
      given: given.flatMap(({ name, value }: ArgumentNode): PageSize['given'] => {
        if (name.value !== 'first' && name.value !== 'last') return [];
        if (value.kind === Kind.INT) return [sizeOf(value) ?? 0];
        if (value.kind !== Kind.VARIABLE) return [];
        hasVariables = true;
        return [{ variable: value.name.value, fallback: sizeOf(defaults.get(value.name.value)) }];
      }),
    };
  }

  const root = stepOf(operation.selectionSet, schema.getRootType(operation.operation)?.name ?? '');
  const constant = hasVariables ? null : evaluate(steps, root, null);
  return {
    isSubscription: operation.operation === 'subscription',
    hasConnections,
    cost: (variables) => constant ?? evaluate(steps, root, variables),
  };
}

function eitherOf(oneOf: readonly number[]): Step {
  return { fixed: 0, perItem: 0, parts: [], oneOf };
}

function evaluate(steps: readonly Step[], root: number, variables: VariableValues): number {
  const fixed: number[] = [];
  const perItem: number[] = [];
  const at = (values: readonly number[], index: number): number => values[index] ?? 0;
  for (const step of steps) {
    let own = step.fixed;
    let ofItem = step.perItem;
    if (step.oneOf) {
      own = Math.max(0, ...step.oneOf.map((index) => at(fixed, index)));
      ofItem = Math.max(0, ...step.oneOf.map((index) => at(perItem, index)));
    }
    for (const { step: index, page, isItem } of step.parts) {
      const cost = at(fixed, index) + (page ? itemsOf(page, variables) * at(perItem, index) : 0);
      if (isItem) ofItem += cost;
      else own += cost;
    }
    fixed.push(own);
    perItem.push(ofItem);
  }
  return at(fixed, root);
}

/** The greatest number of items that a page may have. Values that are not allowed are refused when the operation runs. */
function itemsOf({ given }: PageSize, variables: VariableValues): number {
  let size: number | null = null;
  for (const each of given) {
    let value: unknown = each;
    if (typeof each === 'object')
      value = variables?.[each.variable] === undefined ? each.fallback : variables[each.variable];
    if (typeof value === 'number') size = Math.max(size ?? 0, value);
  }
  return size === null ? DEFAULT_PAGE_SIZE : Math.min(Math.max(size, 0), MAX_PAGE_SIZE);
}

function sizeOf(value: ValueNode | undefined): number | null {
  return value?.kind === Kind.INT ? Number(value.value) : null;
}

function isConnectionType(type: GraphQLObjectType): boolean {
  return type.name.endsWith('Connection');
}
