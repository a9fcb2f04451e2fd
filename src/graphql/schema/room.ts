import { encodeRoomCursor } from '../../domain/cursor.js';
import { NotFoundError, RateLimitedError, ValidationError } from '../../domain/errors.js';
import { listRange, type Page } from '../../domain/page.js';
import type { ROOM_KINDS, Room as RoomRow } from '../../domain/room.js';
import { viewerOf } from '../context.js';
import { dependsOnViewer } from '../sharing.js';
import { builder } from './builder.js';
import { rowId } from './global-id.js';
import { connection, connectionArguments } from './pagination.js';

const RoomKind = builder.enumType('RoomKind', {
  description: 'Who may find and enter a room. Later versions add kinds: end with a default.',
  values: {
    PUBLIC: { description: 'Anyone signed in may find and join it; its members read it.' },
    PRIVATE: { description: 'Only members see it.' },
  } satisfies Record<(typeof ROOM_KINDS)[number], object>,
});

export const Room = builder.node(builder.objectRef<RoomRow>('Room'), {
  description: 'Where people talk: a sequence of messages, and its members.',
  id: { resolve: ({ id }) => id },
  loadWithoutCache: async (id, { loaders }) => (await loaders.room.load(id))?.room ?? null,
  fields: (t) => ({
    kind: t.expose('kind', { type: RoomKind, description: 'Who may find and enter it.' }),
    name: t.exposeString('name', {
      nullable: true,
      description: 'As its owner named it; null in a direct room.',
    }),
    viewerTitle: t.string({
      extensions: dependsOnViewer,
      description: "What to show this viewer: the name, or in a direct room the other person's.",
      resolve: ({ name }) => name ?? '',
    }),
    topic: t.exposeString('topic', { nullable: true, description: 'What it is about.' }),
    createdAt: t.expose('createdAt', { type: 'DateTime', description: 'When it was made.' }),
    lastActivityAt: t.expose('lastActivityAt', {
      type: 'DateTime',
      description: 'When its latest message came, or else when it was made.',
    }),
    memberCount: t.exposeInt('memberCount', { description: 'How many people are in it.' }),
    viewerIsMember: t.boolean({
      extensions: dependsOnViewer,
      description: 'Whether the viewer is in it.',
      resolve: async ({ id }, _args, { loaders }) => (await loaders.room.load(id))?.isMember ?? false,
    }),
  }),
});

export const RoomConnection = builder.connectionObject(
  { type: Room, name: 'RoomConnection', description: 'A page of rooms, newest activity first.' },
  {
    name: 'RoomEdge',
    description: 'A room in a list.',
    nodeField: { description: 'The room.' },
    fields: (t) => ({
      cursor: t.exposeString('cursor', {
        description: 'Its place by activity. The list moves while one pages: dedupe by id.',
      }),
    }),
  },
);

export function roomPage(page: Page<RoomRow>) {
  return connection({
    ...page,
    items: page.items.map((room) => ({
      cursor: encodeRoomCursor({ lastActivityAt: room.lastActivityAt.getTime(), roomId: room.id }),
      node: room,
    })),
  });
}

builder.queryFields((t) => ({
  room: t.field({
    type: Room,
    nullable: true,
    description:
      'A room that the viewer may see; null otherwise (a hidden room and a missing one look the same).',
    args: { id: t.arg.id({ required: true, description: "The room's id." }) },
    async resolve(_root, { id }, { loaders }) {
      const row = rowId('Room', id);
      return row === null ? null : ((await loaders.room.load(row))?.room ?? null);
    },
  }),
  rooms: t.field({
    type: RoomConnection,
    nullable: true,
    description: 'Public rooms, newest activity first; signed-in viewers only.',
    args: connectionArguments(t.arg, 'Without any argument: the first 50.'),
    resolve: async (_root, args, { services }) => roomPage(await services.rooms.listPublic(listRange(args))),
  }),
}));

const CreateRoomInput = builder.inputType('CreateRoomInput', {
  description: 'A new room.',
  fields: (t) => ({
    name: t.string({ required: true, description: '1 to 80 characters.' }),
    topic: t.string({ description: 'At most 280 characters.' }),
    kind: t.field({
      type: RoomKind,
      required: true,
      defaultValue: 'PUBLIC',
      description: 'Who may find and enter it.',
    }),
  }),
});

const CreateRoomPayload = builder.objectRef<RoomRow>('CreateRoomPayload').implement({
  description: 'The room is made.',
  fields: (t) => ({
    room: t.field({ type: Room, description: 'The new room.', resolve: (room) => room }),
  }),
});

const JoinRoomInput = builder.inputType('JoinRoomInput', {
  description: 'A room to join.',
  fields: (t) => ({ roomId: t.id({ required: true, description: "The room's id." }) }),
});

const JoinRoomPayload = builder.objectRef<RoomRow>('JoinRoomPayload').implement({
  description: 'The viewer is a member.',
  fields: (t) => ({
    room: t.field({ type: Room, description: 'The room that the viewer is in.', resolve: (room) => room }),
  }),
});

builder.mutationFields((t) => ({
  createRoom: t.field({
    type: CreateRoomPayload,
    description: 'Makes a room, with the viewer as its first member and no message yet.',
    errors: {
      types: [ValidationError, RateLimitedError],
      union: { description: 'What `createRoom` answers.' },
    },
    args: { input: t.arg({ type: CreateRoomInput, required: true, description: 'What to make.' }) },
    resolve: (_root, { input }, context) => context.services.rooms.create(viewerOf(context), input),
  }),
  joinRoom: t.field({
    type: JoinRoomPayload,
    description: 'Joining twice is joining once.',
    errors: {
      types: [NotFoundError, RateLimitedError],
      union: { description: 'What `joinRoom` answers.' },
    },
    args: { input: t.arg({ type: JoinRoomInput, required: true, description: 'What to join.' }) },
    resolve: (_root, { input }, context) =>
      context.services.rooms.join(viewerOf(context), rowId('Room', input.roomId)),
  }),
}));
