import { readFileSync } from 'node:fs';
import {
  buildClientSchema,
  buildSchema,
  findBreakingChanges,
  type GraphQLArgument,
  type GraphQLInputField,
  type GraphQLNamedType,
  type GraphQLSchema,
  isAbstractType,
  isEnumType,
  isInputObjectType,
  isInterfaceType,
  isIntrospectionType,
  isObjectType,
  isScalarType,
  isSpecifiedScalarType,
  isUnionType,
} from 'graphql';
import { expect, test } from 'vitest';
import { schemaFiles } from '../../scripts/schema-files.js';
import { schema } from '../../src/graphql/schema/index.js';

const read = (path: string) => readFileSync(new URL(path, import.meta.url), 'utf8');
/** A copy of the agreed public API, so that no change of the code can move both sides at once. */
const contract = buildSchema(
  ['01-core', '02-delivery'].map((part) => read(`../contract-fixtures/${part}.graphql`)).join('\n'),
);

const ownTypes = (of: GraphQLSchema): GraphQLNamedType[] =>
  Object.values(of.getTypeMap()).filter((type) => !isIntrospectionType(type) && !isSpecifiedScalarType(type));

const withFields = (type: GraphQLNamedType) =>
  isObjectType(type) || isInterfaceType(type) ? Object.values(type.getFields()) : [];
const inputFields = (type: GraphQLNamedType) =>
  isInputObjectType(type) ? Object.values(type.getFields()) : [];

function inputFact(place: string, input: GraphQLArgument | GraphQLInputField): string {
  const value = input.defaultValue === undefined ? '' : ` = ${JSON.stringify(input.defaultValue)}`;
  return `${place}: ${input.type}${value}`;
}

/** The content of a schema without descriptions, one line per fact. A larger schema only has more lines. */
function facts(of: GraphQLSchema): string[] {
  return ownTypes(of).flatMap((type) => [
    `${type.name} is ${type.constructor.name}`,
    ...(isScalarType(type) ? [`${type.name} @specifiedBy ${type.specifiedByURL}`] : []),
    ...(isEnumType(type) ? type.getValues().map((value) => `${type.name}.${value.name}`) : []),
    ...(isUnionType(type) ? type.getTypes().map((member) => `${type.name} | ${member.name}`) : []),
    ...(isObjectType(type) || isInterfaceType(type)
      ? type.getInterfaces().map((each) => `${type.name} implements ${each.name}`)
      : []),
    ...withFields(type).flatMap((field) => [
      `${type.name}.${field.name}: ${field.type}`,
      ...field.args.map((arg) => inputFact(`${type.name}.${field.name}(${arg.name})`, arg)),
    ]),
    ...inputFields(type).map((field) => inputFact(`${type.name}.${field.name}`, field)),
  ]);
}

/** The paths of all elements without a description. */
function undescribed(of: GraphQLSchema): string[] {
  return ownTypes(of)
    .flatMap((type) => [
      { path: type.name, ...type },
      ...withFields(type).flatMap((field) => [
        { path: `${type.name}.${field.name}`, description: field.description },
        ...field.args.map((arg) => ({
          path: `${type.name}.${field.name}(${arg.name})`,
          description: arg.description,
        })),
      ]),
      ...[...inputFields(type), ...(isEnumType(type) ? type.getValues() : [])].map((part) => ({
        path: `${type.name}.${part.name}`,
        description: part.description,
      })),
    ])
    .filter(({ description }) => !description?.trim())
    .map(({ path }) => path);
}

/** Fields of the same name but different types in one union or interface: no query could select them all. */
function clashes(of: GraphQLSchema): string[] {
  return ownTypes(of)
    .filter(isAbstractType)
    .flatMap((abstract) => {
      const seen = new Map<string, string>();
      return of.getPossibleTypes(abstract).flatMap((member) =>
        withFields(member).flatMap(({ name, type }) => {
          const other = seen.get(name) ?? String(type);
          seen.set(name, other);
          return other === String(type) ? [] : [`${abstract.name}: ${name} is ${other} and ${type}`];
        }),
      );
    });
}

const results = ownTypes(schema)
  .filter(isUnionType)
  .filter((type) => type.name.endsWith('Result'));
const isUserError = (type: GraphQLNamedType) =>
  isObjectType(type) && type.getInterfaces().some((each) => each.name === 'UserError');

test.each(Object.entries(schemaFiles(schema)))('schema/%s matches the code', (name, content) => {
  expect(read(`../../schema/${name}`)).toBe(content);
});

test('schema/introspection.json describes the whole schema', () => {
  const introspected = buildClientSchema(JSON.parse(read('../../schema/introspection.json')));
  expect(facts(introspected)).toEqual(facts(schema));
});

test('schema/possible-types.json names the members of every union and interface', () => {
  const possibleTypes: Record<string, string[]> = JSON.parse(read('../../schema/possible-types.json'));
  expect(Object.keys(possibleTypes)).toEqual(
    ownTypes(schema)
      .filter(isAbstractType)
      .map(({ name }) => name),
  );
  expect(possibleTypes.UserError).toEqual(
    ownTypes(schema)
      .filter(isUserError)
      .map(({ name }) => name),
  );
  expect(possibleTypes.LoginResult).toContain('AuthPayload');
});

test('no part of the agreed API is missing or different', () => {
  expect(findBreakingChanges(contract, schema)).toEqual([]);
  const ours = new Set(facts(schema));
  expect(facts(contract).filter((fact) => !ours.has(fact))).toEqual([]);
});

test('the comparison also finds changes that graphql-js does not count as breaking', () => {
  const before = buildSchema(
    'type Query { a(b: Int!): Int }  scalar D @specifiedBy(url: "https://a.example")',
  );
  const after = buildSchema(
    'type Query { a(b: Int): Int! }  scalar D @specifiedBy(url: "https://b.example")',
  );
  expect(findBreakingChanges(before, after)).toEqual([]);
  const ours = new Set(facts(after));
  expect(facts(before).filter((fact) => !ours.has(fact))).toEqual([
    'Query.a: Int',
    'Query.a(b): Int!',
    'D @specifiedBy https://a.example',
  ]);
});

test('every type, field, argument, input field and enum value is described', () => {
  expect(undescribed(schema)).toEqual([]);
  expect(undescribed(buildSchema('type Query { a(b: I): E } input I { c: Int } enum E { D }'))).toEqual([
    'Query',
    'Query.a',
    'Query.a(b)',
    'I',
    'I.c',
    'E',
    'E.D',
  ]);
});

test('no union or interface has members whose fields of the same name differ in type', () => {
  expect(clashes(schema)).toEqual([]);
  const clashing = buildSchema('type A { x: Int } type B { x: Int! } union U = A | B  type Query { u: U }');
  expect(clashes(clashing)).toEqual(['U: x is Int and Int!']);
});

test('names follow the conventions of GraphQL', () => {
  for (const type of ownTypes(schema)) {
    expect(type.name).toMatch(/^[A-Z][A-Za-z0-9]*$/);
    for (const field of withFields(type)) {
      expect(field.name).toMatch(/^[a-z][A-Za-z0-9]*$/);
      for (const arg of field.args) expect(arg.name).toMatch(/^[a-z][A-Za-z0-9]*$/);
    }
    for (const field of inputFields(type)) expect(field.name).toMatch(/^[a-z][A-Za-z0-9]*$/);
    if (isEnumType(type))
      for (const value of type.getValues()) expect(value.name).toMatch(/^[A-Z][A-Z0-9_]*$/);
    if (isInputObjectType(type)) expect(type.name).toMatch(/Input$/);
    expect(type.name.endsWith('Error'), type.name).toBe(type.name === 'UserError' || isUserError(type));
    if (type.name.endsWith('Connection'))
      expect(withFields(type).map(({ name }) => name)).toEqual(
        expect.arrayContaining(['edges', 'nodes', 'pageInfo']),
      );
  }
});

test('every mutation takes one input and returns one result union, both named after it', () => {
  const mutations = Object.values(schema.getMutationType()?.getFields() ?? {});
  expect(mutations.length).toBeGreaterThan(0);
  for (const { name, type, args } of mutations) {
    const noun = `${name.charAt(0).toUpperCase()}${name.slice(1)}`;
    expect(args.map((arg) => `${arg.name}: ${arg.type}`)).toEqual([`input: ${noun}Input!`]);
    expect(String(type)).toBe(`${noun}Result!`);
  }
  expect(results.map(({ name }) => name)).toEqual(
    expect.arrayContaining(mutations.map(({ type }) => String(type).slice(0, -1))),
  );
});

test('a result union has exactly one payload, and its other members are user errors', () => {
  expect(results.length).toBeGreaterThan(0);
  for (const result of results) {
    const payloads = result.getTypes().filter((member) => !isUserError(member));
    expect(
      payloads.map(({ name }) => name),
      result.name,
    ).toEqual([expect.stringMatching(/Payload$/)]);
    expect(result.getTypes().length, result.name).toBeGreaterThan(1);
  }
});

test('the description of the schema introduces the API by its existing root fields', () => {
  const names = [...(schema.description ?? '').matchAll(/`([a-z]\w+)`/g)].map(([, name = '']) => name);
  const fields = [schema.getQueryType(), schema.getMutationType(), schema.getSubscriptionType()].flatMap(
    (type) => Object.keys(type?.getFields() ?? {}),
  );
  expect(names.filter((name) => fields.includes(name))).toEqual(
    expect.arrayContaining(['signUp', 'login', 'viewer', 'roomMessages', 'messageAdded', 'sendMessage']),
  );
  const others = ['accessToken', 'connectionParams', 'liveCursor', 'after', 'cursor', 'clientMessageId'];
  expect(names.filter((name) => !fields.includes(name) && !others.includes(name))).toEqual([]);
});
