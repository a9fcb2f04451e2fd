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
} from '../../domain/message.js';
import type { MessagePage } from '../../domain/messages.js';
import { viewerOf } from '../context.js';
import { dependsOnViewer } from '../sharing.js';
import { builder } from './builder.js';
import { rowId } from './global-id.js';
import { connection, connectionArguments } from './pagination.js';
import { Room } from './room.js';
import { User } from './user.js';

const MessageType = builder.enumType('MessageType', {
  description: 'What a message tells. Later versions add types: end with a default.',
  values: {
    TEXT: { description: 'Its author wrote `text`.' },
    MEMBER_JOINED: { description: 'Its author joined the room.' },
    MEMBER_LEFT: { description: 'Its author left the room.' },
    MEMBER_REMOVED: { description: 'Its author removed somebody from the room.' },
  } satisfies Record<(typeof MESSAGE_TYPES)[number], object>,
});

export const Message = builder.node(builder.objectRef<MessageRow>('Message'), {
  description: "One entry of a room's sequence: what somebody wrote or did.",
  id: { resolve: ({ id }) => id },
  loadWithoutCache: (id, { loaders }) => loaders.message.load(id),
  fields: (t) => ({
    room: t.field({
      type: Room,
      description: 'The room that it belongs to.',
      async resolve({ roomId }, _args, { loaders }) {
        const found = await loaders.room.load(roomId);
        if (!found) throw roomNotFound();
        return found.room;
      },
    }),
    seq: t.exposeInt('seq', {
      description:
        'Its place in the room: 1, 2, 3 … without holes, so a client can prove that it has missed nothing.',
    }),
    type: t.expose('type', { type: MessageType, description: 'What it tells.' }),
    author: t.field({
      type: User,
      nullable: true,
      description: 'Who wrote or did it; null where the account is gone.',
      resolve: ({ authorId, author }, _args, { loaders }) =>
        authorId === null ? null : (author ?? loaders.user.load(authorId)),
    }),
    text: t.exposeString('text', {
      description: 'What the author wrote; empty in messages of other types: clients word those.',
    }),
    revision: t.exposeInt('revision', {
      description: 'Raised by every change of this message: of two copies, keep the higher.',
    }),
    clientMessageId: t.exposeString('clientMessageId', {
      nullable: true,
      description:
        "As the sender gave it, in the mutation's result and in every delivery: with the author it matches a message to its optimistic echo.",
    }),
    createdAt: t.expose('createdAt', {
      type: 'DateTime',
      description: "When it was stored, by the database's clock; never before the message before it.",
    }),
  }),
});

export const MessageEdge = builder.edgeObject({
  type: Message,
  name: 'MessageEdge',
  description: 'A message with its place.',
  nodeField: { description: 'The message.' },
  fields: (t) => ({
    cursor: t.exposeString('cursor', {
      description: 'The same text in every page, delivery and mutation result, whatever is edited later.',
    }),
  }),
});

const MessageConnection = builder.connectionObject<typeof Message, ReturnType<typeof messageConnection>>(
  {
    type: Message,
    name: 'MessageConnection',
    description: "A page of a room's history, in `seq` order.",
    fields: (t) => ({
      liveCursor: t.exposeString('liveCursor', {
        description:
          "Where this page ends, also where it is empty: the room's end for the newest page, else the last edge. This page and a subscription `after` it are everything from this page on, without a gap or a repeat.",
      }),
    }),
  },
  MessageEdge,
);

function messageConnection(page: MessagePage) {
  return { ...connection(page), liveCursor: page.liveCursor };
}

const HISTORY =
  "A page of the room's history, in `seq` order whichever end it is read from. `last: 50` is the newest page; neither argument means the same. Null where there is no such room for the viewer; null and `FORBIDDEN` in `errors` where they see the room but are not a member.";
const NEWEST = 'Without any argument: the newest 50.';

builder.queryField('roomMessages', (t) =>
  t.field({
    type: MessageConnection,
    nullable: true,
    description: HISTORY,
    args: {
      roomId: t.arg.id({ required: true, description: 'The room to read.' }),
      ...connectionArguments(t.arg, NEWEST),
    },
    async resolve(_root, { roomId, ...args }, context) {
      const viewer = viewerOf(context);
      const id = rowId('Room', roomId);
      const page = id === null ? null : await context.services.messages.page(viewer, id, args);
      return page && messageConnection(page);
    },
  }),
);

builder.objectField(Room, 'messages', (t) =>
  t.field({
    // Its access is checked for the viewer.
    extensions: dependsOnViewer,
    type: MessageConnection,
    nullable: true,
    description: `As \`roomMessages\`. ${HISTORY}`,
    args: connectionArguments(t.arg, NEWEST),
    async resolve({ id }, args, context) {
      const page = await context.services.messages.page(viewerOf(context), id, args);
      return page && messageConnection(page);
    },
  }),
);

const SendMessageInput = builder.inputType('SendMessageInput', {
  description: 'A message to send.',
  fields: (t) => ({
    roomId: t.id({ required: true, description: 'Where to.' }),
    text: t.string({
      required: true,
      description: '1 to 4,000 characters, counted as Unicode code points, stored as given. No NUL.',
    }),
    clientMessageId: t.string({
      description:
        "1 to 64 characters of the client's choosing, unique per sender and room. A retry with the same one is safe.",
    }),
  }),
});

const SendMessagePayload = builder.objectRef<MessageEdgeRow>('SendMessagePayload').implement({
  description: 'The message is stored.',
  fields: (t) => ({
    edge: t.field({
      type: MessageEdge,
      description: 'As `messageAdded` delivers it.',
      resolve: (edge) => edge,
    }),
  }),
});

builder.mutationField('sendMessage', (t) =>
  t.field({
    type: SendMessagePayload,
    description:
      'Stores the message, then delivers it. Retrying with the same `clientMessageId` returns the first message, and stores nothing.',
    errors: {
      types: [NotFoundError, NotAMemberError, ValidationError, IdempotencyConflictError, RateLimitedError],
      union: { description: 'What `sendMessage` answers.' },
    },
    args: { input: t.arg({ type: SendMessageInput, required: true, description: 'What to send.' }) },
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
    description:
      "Every message of the room after the cursor, in `seq` order, each exactly once: first those stored, then the live ones. Without `after`: from now on. Any cursor of the room will do: `liveCursor`, an edge's, or one that this subscription gave. One that the history no longer reaches ends it with code `HISTORY_GAP` and `extensions.reason: EXPIRED | RESET`.",
    args: {
      roomId: t.arg.id({ required: true, description: 'The room to follow; its members only.' }),
      after: t.arg.string({
        description:
          'A cursor of this room. Move it on in the same variables object: a reconnect sends it again.',
      }),
    },
    async subscribe(_root, { roomId, after }, context) {
      const viewer = viewerOf(context);
      const id = rowId('Room', roomId);
      if (id === null) throw roomNotFound();
      return context.services.subscriptions.messages(viewer, id, after ?? null);
    },
    resolve: (edge) => edge,
  }),
);
