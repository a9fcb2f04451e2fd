import type { RoomEvent as RoomEventRow } from '../../delivery/room-event.js';
import { roomNotFound } from '../../domain/errors.js';
import { viewerOf } from '../context.js';
import { builder } from './builder.js';
import { ENDS_WITH, RESUME_WITH_GRAPHQL_WS, ROOM_SUBSCRIPTION_ERRORS } from './descriptions.js';
import { encodeGlobalId, rowId } from './global-id.js';
import { Message, MessageEdge } from './message.js';

type Kind = RoomEventRow['kind'];
type RowOf<K extends Kind> = Extract<RoomEventRow, { readonly kind: K }>;

const TYPES = {
  added: 'MessageAddedEvent',
  changed: 'MessageChangedEvent',
  'caught-up': 'CaughtUpEvent',
  gap: 'HistoryGapEvent',
} satisfies Record<Kind, string>;

const RoomEvent = builder.interfaceRef<RoomEventRow>('RoomEvent').implement({
  description: 'An event of `roomEvents`. New types may be added: always handle unknown types.',
  resolveType: ({ kind }) => TYPES[kind],
  fields: (t) => ({
    cursor: t.exposeString('cursor', {
      description:
        'Position after this event. To resume, pass the `cursor` of the last event received, of any type, as `after` to `roomEvents`: no event is skipped, but a `MessageChangedEvent` may be delivered again.',
    }),
    roomId: t.id({
      description: 'ID of the room.',
      resolve: ({ roomId }) => encodeGlobalId('Room', roomId),
    }),
    occurredAt: t.expose('occurredAt', {
      type: 'DateTime',
      description:
        'Identifies the date and time when the event occurred: when the message was added or changed or, for `CaughtUpEvent` and `HistoryGapEvent`, when the event was sent.',
    }),
  }),
});

builder.objectRef<RowOf<'added'>>(TYPES.added).implement({
  description: 'A message was added to the room.',
  interfaces: [RoomEvent],
  fields: (t) => ({
    edge: t.expose('edge', {
      type: MessageEdge,
      description:
        'The new message, the same as in pages and in `messageAdded`. `roomEvents` does not accept the `cursor` of this edge: to resume, use the `cursor` of the event.',
    }),
  }),
});

builder.objectRef<RowOf<'changed'>>(TYPES.changed).implement({
  description:
    'A message that was added earlier has changed. It may be older than the messages that the client has loaded. Reserved: no mutation changes messages yet.',
  interfaces: [RoomEvent],
  fields: (t) => ({
    message: t.expose('message', {
      type: Message,
      description:
        'The message in its current state. It may be delivered more than once: of two copies, keep the one with the higher `revision`.',
    }),
  }),
});

builder.objectRef<RowOf<'caught-up'>>(TYPES['caught-up']).implement({
  description:
    'The replay of earlier events is complete; the events that follow are live. Sent once per subscription, after the replay or an initial `HistoryGapEvent`, and once after each later `HistoryGapEvent`. Use it, for example, to hide a loading indicator.',
  interfaces: [RoomEvent],
});

const HistoryGapReason = builder.enumType('HistoryGapReason', {
  description:
    'Identifies why the history after a cursor is not available. New values may be added: always handle unknown values.',
  values: {
    EXPIRED: {
      description: 'The room no longer keeps the history after the cursor. Reserved: not returned yet.',
    },
    RESET: {
      description:
        'The cursor belongs to a history that was replaced, for example when the database was restored from a backup.',
    },
  } satisfies Record<RowOf<'gap'>['reason'], object>,
});

builder.objectRef<RowOf<'gap'>>(TYPES.gap).implement({
  description:
    'Events between the last cursor that the client received and this event are not available. Discard the local copy of the room and load it again with `roomMessages`. The subscription continues with live events; do not subscribe again. A message can be both in the page and in an event: deduplicate by `id`, and keep the higher `revision`.',
  interfaces: [RoomEvent],
  fields: (t) => ({
    gapReason: t.expose('reason', {
      type: HistoryGapReason,
      description: 'Identifies why the events are not available.',
    }),
  }),
});

builder.subscriptionField('roomEvents', (t) =>
  t.field({
    type: RoomEvent,
    description: [
      'Streams everything that happens in a room, for clients that keep a copy of the room up to date: added messages, changes of messages, and the state of the stream itself. Use `messageAdded` if new messages are enough.',
      'With `after`, delivers what happened after that cursor first: the added messages in `seq` order, then each older message that has changed, once and in its current state. Without `after`, delivers new events only. A `CaughtUpEvent` marks where live events begin.',
      'To resume after a disconnect, subscribe again with `after` set to the `cursor` of the last event received, or to the `liveCursor` of the page if none was received. If the events after the cursor are not available, a `HistoryGapEvent` is delivered and the subscription continues.',
      ENDS_WITH,
      ROOM_SUBSCRIPTION_ERRORS,
    ].join('\n\n'),
    args: {
      roomId: t.arg.id({ required: true, description: 'ID of the room. The viewer must be a member.' }),
      after: t.arg.string({
        description: `Cursor to start after: a \`liveCursor\` or the \`cursor\` of a \`RoomEvent\` of this room. The \`cursor\` of a message edge fails with \`BAD_USER_INPUT\`, because it does not record which changes were received. ${RESUME_WITH_GRAPHQL_WS}`,
      }),
    },
    async subscribe(_root, { roomId, after }, context) {
      const viewer = viewerOf(context);
      const id = rowId('Room', roomId);
      if (id === null) throw roomNotFound();
      const { isGone } = context;
      return context.services.subscriptions.events({ viewer, roomId: id, after: after ?? null, isGone });
    },
    resolve: (event) => event,
  }),
);
