import {
  createSourceEventStream,
  execute,
  type GraphQLField,
  type GraphQLInputType,
  type GraphQLObjectType,
  isEnumType,
  isInputObjectType,
  isNonNullType,
  parse,
} from 'graphql';
import { expect, test } from 'vitest';
import { createContext, createSharedContext, type Services } from '../../../src/graphql/context.js';
import { decodeGlobalId } from '../../../src/graphql/schema/global-id.js';
import { schema } from '../../../src/graphql/schema/index.js';

/** The tests read nothing from the stores. */
const services = { stores: {} } as Services;

/** A literal of the type, for use in a document. */
function literal(type: GraphQLInputType): string {
  if (isNonNullType(type)) return literal(type.ofType);
  if (isEnumType(type)) return type.getValues()[0]?.name ?? '';
  if (!isInputObjectType(type)) return '"x"';
  const fields = Object.values(type.getFields()).filter((field) => isNonNullType(field.type));
  return `{ ${fields.map((field) => `${field.name}: ${literal(field.type)}`).join(', ')} }`;
}

/** Selects a root field with its required arguments. */
function selection({ name, args }: GraphQLField<unknown, unknown>): string {
  const required = args.filter((arg) => isNonNullType(arg.type));
  const values = required.map((arg) => `${arg.name}: ${literal(arg.type)}`).join(', ');
  return `${name}${values && `(${values})`} { __typename }`;
}

/** The error of a root field for a request without a token; null if the field does not require a viewer. */
async function refusal(kind: string, field: GraphQLField<unknown, unknown>): Promise<unknown> {
  const args = {
    schema,
    document: parse(`${kind} { ${selection(field)} }`),
    contextValue: createContext(
      services,
      { authentication: { kind: 'missing' }, address: '::1', requestId: '' },
      () => false,
    ),
  };
  const result = await (kind === 'subscription' ? createSourceEventStream(args) : execute(args));
  const [error] = 'errors' in result ? (result.errors ?? []) : [];
  return error?.originalError?.name === 'UnauthenticatedError' ? error.originalError : null;
}

test('every root field requires a viewer, except the public ones', async () => {
  const roots: readonly [string, GraphQLObjectType | null | undefined][] = [
    ['query', schema.getQueryType()],
    ['mutation', schema.getMutationType()],
    ['subscription', schema.getSubscriptionType()],
  ];
  const open: string[] = [];
  for (const [kind, type] of roots)
    for (const field of Object.values(type?.getFields() ?? {}))
      if ((await refusal(kind, field)) === null) open.push(field.name);
  expect(open.sort()).toEqual(['login', 'signUp', 'viewer']);
});

test('an event that contains its author is executed synchronously, with short ids', () => {
  const id = '0198a1b2-0000-7000-8000-000000000001';
  const author = { id, username: 'alice', displayName: 'Alice', avatarUrl: null, createdAt: new Date() };
  const result = execute({
    schema,
    document: parse('subscription { messageAdded(roomId: "x") { cursor node { id author { id } } } }'),
    rootValue: { cursor: 'c', node: { id, authorId: id, author } },
    contextValue: createSharedContext(services),
  });
  expect(result).toEqual({
    data: {
      messageAdded: {
        cursor: 'c',
        node: { id: expect.stringMatching(/^M.{22}$/), author: { id: expect.stringMatching(/^U.{22}$/) } },
      },
    },
  });
});

test('a malformed id and an id of an unknown type decode to null', () => {
  for (const id of ['', 'M', 'x', `X${'A'.repeat(22)}`, `M${'A'.repeat(21)}`, `M${'A'.repeat(22)}=`])
    expect(decodeGlobalId(id), id).toBeNull();
});
