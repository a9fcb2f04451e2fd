import {
  IdempotencyConflictError,
  NotAMemberError,
  NotFoundError,
  RateLimitedError,
  roomNotFound,
  ValidationError,
} from '../../domain/errors.js';
import type {
  MESSAGE_TYPES,
  MessageEdge as MessageEdgeRow,
  Message as MessageRow,
} from '../../domain/message/message.js';
import type { MessagePage } from '../../domain/message/messages.js';
import { viewerOf } from '../context.js';
import { dependsOnViewer } from '../sharing.js';
import { builder } from './builder.js';
import {
  ENDS_WITH,
  PER_VIEWER,
  RESUME_WITH_GRAPHQL_WS,
  ROOM_SUBSCRIPTION_ERRORS,
  resultOf,
} from './descriptions.js';
import { rowId } from './global-id.js';
import { connection, connectionArguments } from './pagination.js';
import { Room } from './room.js';
import { User } from './user.js';

const MessageType = builder.enumType('MessageType', {
  description: 'Identifies what a message records. New values may be added: always handle unknown values.',
  values: {
    TEXT: { description: 'The author wrote `text`.' },
    MEMBER_JOINED: { description: 'The author joined the room.' },
    MEMBER_LEFT: { description: 'The author left the room. Reserved: no mutation records it yet.' },
    MEMBER_REMOVED: {
      description:
        'The author removed another member from the room. The API does not expose which one yet. Reserved: no mutation records it yet.',
    },
  } satisfies Record<(typeof MESSAGE_TYPES)[number], object>,
});

export const Message = builder.node(builder.objectRef<MessageRow>('Message'), {
  description:
    "An entry in a room's history: a text that a member wrote, or a record of a change such as a new member.",
  id: { resolve: ({ id }) => id },
  loadWithoutCache: (id, { loaders }) => loaders.message.load(id),
  fields: (t) => ({
    room: t.field({
      type: Room,
      description: 'The room of the message.',
      async resolve({ roomId }, _args, { loaders }) {
        const found = await loaders.room.load(roomId);
        if (!found) throw roomNotFound();
        return found.room;
      },
    }),
    seq: t.exposeInt('seq', {
      description:
        'Number of the message in its room: 1, 2, 3 … without gaps, across all message types. Use it to order messages and to detect missing ones: if you receive 9 after 7, load the message between them with `roomMessages`.',
    }),
    type: t.expose('type', { type: MessageType, description: 'Identifies what the message records.' }),
    author: t.field({
      type: User,
      nullable: true,
      description: 'The user who wrote the message or made the change. Null if the account was deleted.',
      resolve: ({ authorId, author }, _args, { loaders }) =>
        authorId === null ? null : (author ?? loaders.user.load(authorId)),
    }),
    text: t.exposeString('text', {
      description:
        'Text of the message. Empty unless `type` is `TEXT`: for other types, compose the text to display from `type` and `author`.',
    }),
    revision: t.exposeInt('revision', {
      description:
        'Version of the message. Starts at 1 and increases with every change of the message: of two copies, keep the one with the higher `revision`.',
    }),
    clientMessageId: t.exposeString('clientMessageId', {
      nullable: true,
      description:
        'The `clientMessageId` that the sender passed to `sendMessage`. Null if none was passed. Use it together with `author.id` to find the optimistic copy that this message replaces, whether the result of `sendMessage` or the delivery of the subscription arrives first.',
    }),
    createdAt: t.expose('createdAt', {
      type: 'DateTime',
      description:
        'Identifies the date and time when the message was stored, by the clock of the database. Never earlier than that of the previous message in the room.',
    }),
  }),
});

export const MessageEdge = builder.edgeObject({
  type: Message,
  name: 'MessageEdge',
  description: 'A message and its cursor.',
  nodeField: { description: 'The message.' },
  fields: (t) => ({
    cursor: t.exposeString('cursor', {
      description:
        'Cursor of the message. The same in every page, subscription and mutation result, even if the message changes. Accepted as `after` by `messageAdded` and as `after` and `before` by `roomMessages`, but not by `roomEvents`.',
    }),
  }),
});

const MessageConnection = builder.connectionObject<typeof Message, ReturnType<typeof messageConnection>>(
  {
    type: Message,
    name: 'MessageConnection',
    description: "A page of a room's messages, in `seq` order.",
    fields: (t) => ({
      liveCursor: t.exposeString('liveCursor', {
        description:
          'Cursor for subscribing from the end of this page: pass it as the `after` argument of `messageAdded` or `roomEvents`. The subscription delivers everything that follows the page, without a gap or a duplicate: stored messages first, then new ones as they are added. Present even if the page is empty.',
      }),
    }),
  },
  MessageEdge,
);

function messageConnection(page: MessagePage) {
  return { ...connection(page), liveCursor: page.liveCursor };
}

const NEWEST = 'returns the last 50, which are the newest';

builder.queryField('roomMessages', (t) =>
  t.field({
    type: MessageConnection,
    nullable: true,
    description:
      'Returns a page of messages of a room, always in ascending `seq` order. `last: 50` returns the newest 50; to load older messages, pass `pageInfo.startCursor` as `before`. Null if the room does not exist or the viewer cannot see it. Null, with `FORBIDDEN` in `errors`, if the viewer can see the room but is not a member: call `joinRoom` first. Null, with `HISTORY_GAP` in `errors` and a `HistoryGapReason` in `extensions.reason`, if the history of the room does not contain the cursor: load a page without a cursor.',
    args: {
      roomId: t.arg.id({ required: true, description: 'ID of the room. The viewer must be a member.' }),
      ...connectionArguments(t.arg, NEWEST),
    },
    async resolve(_root, { roomId, ...args }, context) {
      const viewer = viewerOf(context);
      const id = rowId('Room', roomId);
      const page =
        id === null ? null : await context.work.read(() => context.services.messages.page(viewer, id, args));
      return page && messageConnection(page);
    },
  }),
);

builder.objectField(Room, 'messages', (t) =>
  t.field({
    // The access check depends on the viewer.
    extensions: dependsOnViewer,
    type: MessageConnection,
    nullable: true,
    description: `Returns a page of messages of this room, like \`Query.roomMessages\`, with the same errors. Null, with \`FORBIDDEN\` in \`errors\`, if the viewer is not a member. ${PER_VIEWER}`,
    args: connectionArguments(t.arg, NEWEST),
    async resolve({ id }, args, context) {
      const viewer = viewerOf(context);
      const page = await context.work.read(() => context.services.messages.page(viewer, id, args));
      return page && messageConnection(page);
    },
  }),
);

const SendMessageInput = builder.inputType('SendMessageInput', {
  description: 'Input for `sendMessage`.',
  fields: (t) => ({
    roomId: t.id({ required: true, description: 'ID of the room. The viewer must be a member.' }),
    text: t.string({
      required: true,
      description:
        'Text of the message, 1 to 4,000 characters, counted as Unicode code points. Stored unchanged. NUL characters are not allowed.',
    }),
    clientMessageId: t.string({
      description:
        'Idempotency key, 1 to 64 characters, unique per sender and room: generate one for each message, such as a UUID. Sending the same `clientMessageId` and `text` again returns the first message and stores nothing, so it is safe to retry. The same key with another `text` returns `IdempotencyConflictError`. If omitted or null, every call stores a new message.',
    }),
  }),
});

const SendMessagePayload = builder.objectRef<MessageEdgeRow>('SendMessagePayload').implement({
  description: 'Payload of `sendMessage`.',
  fields: (t) => ({
    edge: t.field({
      type: MessageEdge,
      description:
        'The stored message and its cursor, the same as `messageAdded` delivers. The subscription may deliver the message before this result arrives.',
      resolve: (edge) => edge,
    }),
  }),
});

builder.mutationField('sendMessage', (t) =>
  t.field({
    type: SendMessagePayload,
    description:
      'Stores a message in a room and delivers it to all subscribers. Returns after the message is stored. If the request fails with `SERVICE_UNAVAILABLE` or without a response, the message may have been stored: send it again with the same `clientMessageId`. Rate limited.',
    errors: {
      types: [NotFoundError, NotAMemberError, ValidationError, IdempotencyConflictError, RateLimitedError],
      union: { description: resultOf('sendMessage', 'SendMessagePayload') },
    },
    args: { input: t.arg({ type: SendMessageInput, required: true, description: 'The message to send.' }) },
    resolve: (_root, { input }, context) =>
      context.services.messages.send(viewerOf(context), {
        roomId: rowId('Room', input.roomId),
        text: input.text,
        clientMessageId: input.clientMessageId ?? null,
      }),
  }),
);

builder.subscriptionField('messageAdded', (t) =>
  t.field({
    type: MessageEdge,
    description: [
      'Streams the messages that are added to a room, each exactly once and in `seq` order. With `after`, delivers the stored messages after that cursor first, then new ones. Without `after`, delivers new messages only.',
      'To resume after a disconnect, subscribe again with `after` set to the `cursor` of the last message received, or to the `liveCursor` of the page if none was received.',
      ENDS_WITH,
      [
        '- `HISTORY_GAP`: the messages after the cursor are not available; `extensions.reason` is a `HistoryGapReason`. Load a page with `roomMessages`, and subscribe again with `after` set to its `liveCursor`.',
        ROOM_SUBSCRIPTION_ERRORS,
      ].join('\n'),
    ].join('\n\n'),
    args: {
      roomId: t.arg.id({ required: true, description: 'ID of the room. The viewer must be a member.' }),
      after: t.arg.string({
        description: `Cursor to start after: a \`liveCursor\`, or the \`cursor\` of a message edge or a \`RoomEvent\` of this room. ${RESUME_WITH_GRAPHQL_WS}`,
      }),
    },
    async subscribe(_root, { roomId, after }, context) {
      const viewer = viewerOf(context);
      const id = rowId('Room', roomId);
      if (id === null) throw roomNotFound();
      const { isGone } = context;
      return context.services.subscriptions.messages({ viewer, roomId: id, after: after ?? null, isGone });
    },
    resolve: (edge) => edge,
  }),
);
