import {
  execute,
  type GraphQLField,
  type GraphQLObjectType,
  GraphQLSchema,
  getNamedType,
  isAbstractType,
  isLeafType,
  isObjectType,
  parse,
} from 'graphql';
import { describe, expect, test } from 'vitest';
import type { RoomEvent } from '../../../src/delivery/room-event.js';
import type { Message } from '../../../src/domain/message/message.js';
import type { Room } from '../../../src/domain/room.js';
import type { User } from '../../../src/domain/user.js';
import { createSharedContext, type Services, viewerOf } from '../../../src/graphql/context.js';
import { schema } from '../../../src/graphql/schema/index.js';
import { connection } from '../../../src/graphql/schema/pagination.js';

/*
 * An event is executed once for several viewers, in a context without a viewer, unless it selects a field that is marked
 * as depending on the viewer. These tests read the fields from the schema, so that they cover new ones.
 */

const createdAt = new Date('2026-11-25T01:49:00.000Z');
const [userId, roomId, messageId] = [1, 2, 3].map((digit) => `01976b3a-0000-7000-8000-00000000000${digit}`);

const user: User = {
  id: String(userId),
  username: 'ada',
  displayName: 'Ada',
  avatarUrl: 'https://example.org/a.png',
  createdAt,
};
const room: Room = {
  id: String(roomId),
  kind: 'PUBLIC',
  name: 'A room',
  topic: 'A topic',
  createdAt,
  lastActivityAt: createdAt,
  listedAt: createdAt,
  memberCount: 1,
};
const message: Message = {
  id: String(messageId),
  roomId: room.id,
  seq: 1,
  rev: 1,
  type: 'TEXT',
  authorId: user.id,
  subjectId: null,
  text: 'hello',
  revision: 1,
  clientMessageId: 'key',
  createdAt,
  changedAt: null,
};
const edge = { cursor: 'cursor', node: message };
const page = { items: [edge], hasNextPage: false, hasPreviousPage: false, liveCursor: 'cursor' };
const event = { cursor: 'cursor', roomId: room.id, occurredAt: createdAt };

/** Source objects of each type, from which every field resolves to a value other than null. */
const SOURCES: Record<string, readonly object[]> = {
  // One with its author, and one whose author must be loaded.
  Message: [{ ...message, author: user }, message],
  Room: [room],
  User: [user],
  MessageEdge: [edge],
  MessageConnection: [{ ...connection(page), liveCursor: page.liveCursor }],
  PageInfo: [{ hasNextPage: false, hasPreviousPage: false, startCursor: 'cursor', endCursor: 'cursor' }],
  MessageAddedEvent: [{ ...event, kind: 'added', edge } satisfies RoomEvent],
  MessageChangedEvent: [{ ...event, kind: 'changed', message } satisfies RoomEvent],
  CaughtUpEvent: [{ ...event, kind: 'caught-up' } satisfies RoomEvent],
  HistoryGapEvent: [{ ...event, kind: 'gap', reason: 'RESET' } satisfies RoomEvent],
};

// A field that needs any other service fails, like one that needs the viewer.
const services = {
  stores: { users: { findByIds: async () => [user] }, rooms: { findByIds: async () => [room] } },
  messages: { page: async () => page },
} as unknown as Services;

/** All object types that can be reached from the given types, including these. */
function reachableFrom(...names: string[]): GraphQLObjectType[] {
  const found = new Set<GraphQLObjectType>();
  const visit = (name: string): void => {
    const type = schema.getType(name);
    if (isAbstractType(type)) for (const possible of schema.getPossibleTypes(type)) visit(possible.name);
    if (!isObjectType(type) || found.has(type)) return;
    found.add(type);
    for (const field of Object.values(type.getFields())) visit(getNamedType(field.type).name);
  };
  for (const name of names) visit(name);
  return [...found];
}

const types = reachableFrom('Message', 'Room', 'RoomEvent', 'User');
const fields = types.flatMap((type) =>
  Object.values(type.getFields()).map((field) => ({ path: `${type.name}.${field.name}`, type, field })),
);
const isMarked = ({ extensions }: GraphQLField<unknown, unknown>) => extensions.dependsOnViewer === true;

/** Executes one field of a type in a shared context. */
const executeField = (type: GraphQLObjectType, field: GraphQLField<unknown, unknown>, source: object) =>
  execute({
    schema: new GraphQLSchema({ ...schema.toConfig(), query: type, mutation: null, subscription: null }),
    document: parse(
      isLeafType(getNamedType(field.type)) ? `{ ${field.name} }` : `{ ${field.name} { __typename } }`,
    ),
    rootValue: source,
    contextValue: createSharedContext(services),
  });

test('every type that can be reached from an event has a source object', () => {
  expect(types.map(({ name }) => name).sort()).toEqual(Object.keys(SOURCES).sort());
});

test('only these fields are marked as depending on the viewer', () => {
  expect(fields.filter(({ field }) => isMarked(field)).map(({ path }) => path)).toEqual([
    'Room.messages',
    'Room.viewerIsMember',
    'Room.viewerTitle',
  ]);
});

test('every field whose name starts with "viewer" is marked', () => {
  const named = fields.filter(({ field }) => field.name.startsWith('viewer'));
  expect(named.length).toBeGreaterThan(1);
  for (const { path, field } of named) expect(isMarked(field), path).toBe(true);
});

describe('without a viewer', () => {
  const unmarked = fields.filter(({ field }) => !isMarked(field));

  test.each(unmarked.map((each) => [each.path, each] as const))(
    '%s resolves without a viewer',
    async (_, { type, field }) => {
      const sources = SOURCES[type.name] ?? [];
      expect(sources.length).toBeGreaterThan(0);
      for (const source of sources)
        expect(await executeField(type, field, source)).toEqual({
          data: { [field.name]: expect.anything() },
        });
    },
  );

  test("without a viewer, a field that checks the viewer's access fails", async () => {
    const found = fields.find(({ path }) => path === 'Room.messages');
    if (!found) throw new Error('Field not found.');
    const { data, errors } = await executeField(found.type, found.field, room);
    expect(data).toEqual({ messages: null });
    expect(errors?.map((error) => error.message)).toEqual([expect.stringContaining('several viewers')]);
  });

  test('reading the viewer, the address or the message loader of a shared context throws', () => {
    const context = createSharedContext(services);
    expect(() => viewerOf(context)).toThrow('several viewers');
    expect(() => context.address).toThrow('several viewers');
    expect(() => context.loaders.message).toThrow('events contain theirs');
  });
});
