import {
  type GraphQLArgument,
  type GraphQLField,
  type GraphQLInputField,
  type GraphQLInputType,
  type GraphQLNamedOutputType,
  type GraphQLSchema,
  getNamedType,
  getNullableType,
  isAbstractType,
  isEnumType,
  isInputObjectType,
  isLeafType,
  isObjectType,
  isRequiredArgument,
  isRequiredInputField,
} from 'graphql';

/** Operations that are generated from the schema, so that what is new in it is tried too. */

/** One operation on a root field. */
export interface Probe {
  /** The root field, such as `Query.node`. */
  readonly field: string;
  readonly kind: 'query' | 'mutation' | 'subscription';
  readonly document: string;
}

/** Values for arguments and input fields, by their names. One operation is generated for each combination. */
export type Values = Readonly<Record<string, readonly (string | number)[]>>;

/** Levels of objects that are selected. */
const DEPTH = 4;

/**
 * Generates operations for all root fields: with the required arguments only, and with each optional one in addition.
 *
 * @throws Error that names an argument or input field that has no values.
 */
export function generateProbes(schema: GraphQLSchema, values: Values): Probe[] {
  const roots = [
    ['query', schema.getQueryType()],
    ['mutation', schema.getMutationType()],
    ['subscription', schema.getSubscriptionType()],
  ] as const;
  return roots.flatMap(([kind, type]) =>
    Object.values(type?.getFields() ?? {}).flatMap((field) => {
      const coordinate = `${type?.name}.${field.name}`;
      const selections = selectionsOf(schema, getNamedType(field.type), kind === 'subscription', values);
      return argumentLists(coordinate, field, values).flatMap((list) =>
        selections.map((selection) => ({
          field: coordinate,
          kind,
          document: `${kind} { ${field.name}${list} ${selection} }`,
        })),
      );
    }),
  );
}

function argumentLists(coordinate: string, field: GraphQLField<unknown, unknown>, values: Values): string[] {
  const required = field.args.filter(isRequiredArgument);
  const optional = field.args.filter((argument) => !isRequiredArgument(argument));
  return [required, ...optional.map((argument) => [...required, argument])].flatMap((list) =>
    combinations(list.map((argument) => literals(`${coordinate}(${argument.name}:)`, argument, values))).map(
      (literalsOfList) =>
        list.length === 0
          ? ''
          : `(${list.map(({ name }, index) => `${name}: ${literalsOfList[index]}`).join(', ')})`,
    ),
  );
}

/** All values of an argument or input field, as GraphQL literals. */
function literals(
  coordinate: string,
  { name, type }: GraphQLArgument | GraphQLInputField,
  values: Values,
): string[] {
  const named = getNamedType(type);
  if (isInputObjectType(named)) {
    const fields = Object.values(named.getFields());
    const required = fields.filter(isRequiredInputField);
    const optional = fields.filter((field) => !isRequiredInputField(field));
    return [required, ...optional.map((field) => [...required, field])].flatMap((list) =>
      combinations(list.map((field) => literals(`${named.name}.${field.name}`, field, values))).map(
        (parts) => `{ ${list.map((field, index) => `${field.name}: ${parts[index]}`).join(', ')} }`,
      ),
    );
  }
  if (isEnumType(named)) return named.getValues().map((value) => value.name);
  const known = values[name];
  if (!known)
    throw new Error(`${coordinate} has no values: add some for \`${name}\`, so that the sweep can try it.`);
  return known.map((value) => literalOf(value, type));
}

function literalOf(value: string | number, type: GraphQLInputType): string {
  const literal = JSON.stringify(value);
  return String(getNullableType(type)).startsWith('[') ? `[${literal}]` : literal;
}

function combinations(lists: readonly (readonly string[])[]): string[][] {
  return lists.reduce<string[][]>(
    (found, list) => found.flatMap((each) => list.map((value) => [...each, value])),
    [[]],
  );
}

/** One selection for each type that a root field may return, since a document may not be too long. */
function selectionsOf(
  schema: GraphQLSchema,
  type: GraphQLNamedOutputType,
  isEvent: boolean,
  values: Values,
): string[] {
  if (!isAbstractType(type)) return [selectionOf(type, isEvent, values, DEPTH)];
  return schema
    .getPossibleTypes(type)
    .map((each) => `{ __typename ... on ${each.name} ${selectionOf(each, isEvent, values, DEPTH)} }`);
}

/** Selects everything of a type, down to the same depth, except the fields that have arguments. */
export function selectAll(schema: GraphQLSchema, name: string): string {
  const type = schema.getType(name);
  if (!isObjectType(type)) throw new Error(`${name} is not an object type.`);
  return selectionOf(type, true, { first: [1] }, DEPTH);
}

/** Selects everything down to a depth; below an event no lists. Arguments get their first value. */
function selectionOf(type: GraphQLNamedOutputType, isEvent: boolean, values: Values, depth: number): string {
  if (isLeafType(type)) return '';
  if (!isObjectType(type)) return '{ __typename }';
  const fields = Object.values(type.getFields()).flatMap((field) => {
    const list = requiredOrPaged(`${type.name}.${field.name}`, field, values);
    const named = getNamedType(field.type);
    if (!isLeafType(named) && (depth === 0 || (isEvent && field.args.length > 0))) return [];
    return [`${field.name}${list} ${selectionOf(named, isEvent, values, depth - 1)}`];
  });
  return `{ ${fields.join(' ') || '__typename'} }`;
}

/** The required arguments of a field below the root, and a small page. */
function requiredOrPaged(coordinate: string, field: GraphQLField<unknown, unknown>, values: Values): string {
  const list = field.args.filter((argument) => isRequiredArgument(argument) || argument.name === 'first');
  const parts = list.map(
    (argument) => `${argument.name}: ${literals(`${coordinate}(${argument.name}:)`, argument, values)[0]}`,
  );
  return parts.length === 0 ? '' : `(${parts.join(', ')})`;
}
