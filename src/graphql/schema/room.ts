import { encodeRoomCursor } from '../../domain/cursor.js';
import { NotFoundError, RateLimitedError, ValidationError } from '../../domain/errors.js';
import { listRange, type Page } from '../../domain/page.js';
import type { ROOM_KINDS, Room as RoomRow } from '../../domain/room.js';
import { viewerOf } from '../context.js';
import { dependsOnViewer } from '../sharing.js';
import { builder } from './builder.js';
import { PER_VIEWER, resultOf } from './descriptions.js';
import { rowId } from './global-id.js';
import { connection, connectionArguments } from './pagination.js';

const RoomKind = builder.enumType('RoomKind', {
  description:
    'Determines who can see and join a room. New values may be added: always handle unknown values.',
  values: {
    PUBLIC: {
      description:
        'Listed in `Query.rooms`. Every signed-in user can see and join the room. Only members can read its messages and write in it.',
    },
    PRIVATE: { description: 'Visible to its members only. Other users cannot join it with `joinRoom`.' },
  } satisfies Record<(typeof ROOM_KINDS)[number], object>,
});

export const Room = builder.node(builder.objectRef<RoomRow>('Room'), {
  description: 'A chat room: its members, and their messages in a numbered history.',
  id: { resolve: ({ id }) => id },
  loadWithoutCache: async (id, { loaders }) => (await loaders.room.load(id))?.room ?? null,
  fields: (t) => ({
    kind: t.expose('kind', { type: RoomKind, description: 'Determines who can see and join the room.' }),
    name: t.exposeString('name', {
      nullable: true,
      description:
        'Name of the room. `PUBLIC` and `PRIVATE` rooms always have one; null in future kinds of rooms without names. To display a title, use `viewerTitle`, which is never null.',
    }),
    viewerTitle: t.string({
      extensions: dependsOnViewer,
      description: `Title of the room to display to the viewer. Equals \`name\` in rooms that have one. ${PER_VIEWER}`,
      resolve: ({ name }) => name ?? '',
    }),
    topic: t.exposeString('topic', {
      nullable: true,
      description: 'Topic of the room. Null if none is set.',
    }),
    createdAt: t.expose('createdAt', {
      type: 'DateTime',
      description: 'Identifies the date and time when the room was created.',
    }),
    lastActivityAt: t.expose('lastActivityAt', {
      type: 'DateTime',
      description:
        'Identifies the date and time of the latest message. Equals `createdAt` if the room has no messages.',
    }),
    memberCount: t.exposeInt('memberCount', { description: 'Number of members.' }),
    viewerIsMember: t.boolean({
      extensions: dependsOnViewer,
      description: `Whether the viewer is a member of the room. ${PER_VIEWER}`,
      resolve: async ({ id }, _args, { loaders }) => (await loaders.room.load(id))?.isMember ?? false,
    }),
  }),
});

export const RoomConnection = builder.connectionObject(
  { type: Room, name: 'RoomConnection', description: 'A page of rooms, most recent activity first.' },
  {
    name: 'RoomEdge',
    description: 'A room in a list.',
    nodeField: { description: 'The room.' },
    fields: (t) => ({
      cursor: t.exposeString('cursor', {
        description:
          'Cursor of this item. The order changes with new activity: deduplicate rooms by ID, and load the first page again to find rooms that moved up while you were paging.',
      }),
    }),
  },
);

export function roomPage(page: Page<RoomRow>) {
  return connection({
    ...page,
    items: page.items.map((room) => ({
      cursor: encodeRoomCursor({ lastActivityAt: room.listedAt.getTime(), roomId: room.id }),
      node: room,
    })),
  });
}

builder.queryFields((t) => ({
  room: t.field({
    type: Room,
    nullable: true,
    description:
      'Fetches a room by ID. Null if there is no such room, or if it is private and the viewer is not a member. The two cases cannot be distinguished.',
    args: { id: t.arg.id({ required: true, description: 'ID of the room.' }) },
    async resolve(_root, { id }, { loaders }) {
      const row = rowId('Room', id);
      return row === null ? null : ((await loaders.room.load(row))?.room ?? null);
    },
  }),
  rooms: t.field({
    type: RoomConnection,
    nullable: true,
    description:
      'Lists public rooms, most recent activity first. A room moves up within two seconds after a message.',
    args: connectionArguments(t.arg, 'returns the first 50'),
    resolve: async (_root, args, { services, work }) =>
      roomPage(await work.read(() => services.rooms.listPublic(listRange(args)))),
  }),
}));

const CreateRoomInput = builder.inputType('CreateRoomInput', {
  description: 'Input for `createRoom`.',
  fields: (t) => ({
    name: t.string({
      required: true,
      description:
        'Name of the room, 1 to 80 characters. Surrounding whitespace is removed. Line breaks and other control characters are not allowed.',
    }),
    topic: t.string({
      description:
        'Topic of the room, at most 280 characters. Surrounding whitespace is removed. Line breaks and other control characters are not allowed. Omit it, or pass null or an empty string, for no topic.',
    }),
    kind: t.field({
      type: RoomKind,
      required: true,
      defaultValue: 'PUBLIC',
      description: 'Determines who can see and join the room.',
    }),
  }),
});

const CreateRoomPayload = builder.objectRef<RoomRow>('CreateRoomPayload').implement({
  description: 'Payload of `createRoom`.',
  fields: (t) => ({
    room: t.field({ type: Room, description: 'The new room.', resolve: (room) => room }),
  }),
});

const JoinRoomInput = builder.inputType('JoinRoomInput', {
  description: 'Input for `joinRoom`.',
  fields: (t) => ({ roomId: t.id({ required: true, description: 'ID of the room.' }) }),
});

const JoinRoomPayload = builder.objectRef<RoomRow>('JoinRoomPayload').implement({
  description: 'Payload of `joinRoom`.',
  fields: (t) => ({
    room: t.field({ type: Room, description: 'The room the viewer joined.', resolve: (room) => room }),
  }),
});

builder.mutationFields((t) => ({
  createRoom: t.field({
    type: CreateRoomPayload,
    description:
      'Creates a room with the viewer as its only member. The room starts without messages: creating it records no `MEMBER_JOINED` message. Rate limited.',
    errors: {
      types: [ValidationError, RateLimitedError],
      union: { description: resultOf('createRoom', 'CreateRoomPayload') },
    },
    args: {
      input: t.arg({
        type: CreateRoomInput,
        required: true,
        description: 'Name, topic and kind of the new room.',
      }),
    },
    resolve: (_root, { input }, context) => context.services.rooms.create(viewerOf(context), input),
  }),
  joinRoom: t.field({
    type: JoinRoomPayload,
    description:
      'Makes the viewer a member of a public room and records a `MEMBER_JOINED` message. If the viewer is already a member, returns the room and records nothing, so it is safe to retry. A private room of which the viewer is not a member returns `NotFoundError`. Rate limited.',
    errors: {
      types: [NotFoundError, RateLimitedError],
      union: { description: resultOf('joinRoom', 'JoinRoomPayload') },
    },
    args: { input: t.arg({ type: JoinRoomInput, required: true, description: 'The room to join.' }) },
    resolve: (_root, { input }, context) =>
      context.services.rooms.join(viewerOf(context), rowId('Room', input.roomId)),
  }),
}));
