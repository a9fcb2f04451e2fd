import type { RoomEvent as RoomEventRow } from '../../delivery/room-event.js';
import { roomNotFound } from '../../domain/errors.js';
import { viewerOf } from '../context.js';
import { builder } from './builder.js';
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
  description:
    'Something that happened in a room. `cursor` is safe to resume from on every event, whichever it is: at worst an update comes twice, nothing is skipped. Later versions add types: end with a default.',
  resolveType: ({ kind }) => TYPES[kind],
  fields: (t) => ({
    cursor: t.exposeString('cursor', { description: '`roomEvents` after this goes on behind this event.' }),
    roomId: t.id({
      description: 'Where it happened.',
      resolve: ({ roomId }) => encodeGlobalId('Room', roomId),
    }),
    occurredAt: t.expose('occurredAt', {
      type: 'DateTime',
      description: 'When it happened; of what happens to the stream itself, when it was sent.',
    }),
  }),
});

builder.objectRef<RowOf<'added'>>(TYPES.added).implement({
  description: "A message was added to the room's sequence.",
  interfaces: [RoomEvent],
  fields: (t) => ({
    edge: t.expose('edge', { type: MessageEdge, description: 'As in pages and in `messageAdded`.' }),
  }),
});

builder.objectRef<RowOf<'changed'>>(TYPES.changed).implement({
  description: 'A message that was there already has changed.',
  interfaces: [RoomEvent],
  fields: (t) => ({
    message: t.expose('message', {
      type: Message,
      description: 'As it stands now: of two copies, keep the one with the higher `revision`.',
    }),
  }),
});

builder.objectRef<RowOf<'caught-up'>>(TYPES['caught-up']).implement({
  description:
    'Everything up to `cursor` has been delivered: what follows is live. Sent once after each (re)subscription, and again after a gap.',
  interfaces: [RoomEvent],
});

const HistoryGapReason = builder.enumType('HistoryGapReason', {
  description: 'Why a part of the history can not be told.',
  values: {
    EXPIRED: {
      description: 'The cursor lies before what the room still keeps. Reserved: nothing raises it yet.',
    },
    RESET: {
      description: 'The cursor is of another history: the database was restored from a backup, say.',
    },
  } satisfies Record<RowOf<'gap'>['reason'], object>,
});

builder.objectRef<RowOf<'gap'>>(TYPES.gap).implement({
  description:
    "What lies between the given cursor and `cursor` can't be told: fetch `roomMessages` again. Live events follow.",
  interfaces: [RoomEvent],
  fields: (t) => ({
    gapReason: t.expose('reason', { type: HistoryGapReason, description: "Why it can't be told." }),
  }),
});

builder.subscriptionField('roomEvents', (t) =>
  t.field({
    type: RoomEvent,
    description:
      'All that happens in the room after the cursor, for a client that keeps a whole room in step: adds, changes, and what is only live. What was changed while the client was away comes once, as it stands now. Without `after`: from now on. A history that does not reach the cursor is told by a `HistoryGapEvent`.',
    args: {
      roomId: t.arg.id({ required: true, description: 'The room to follow; its members only.' }),
      after: t.arg.string({
        description:
          "A `liveCursor` or an event's own `cursor`; that of a message edge does not say which changes were seen, and is `BAD_USER_INPUT`. Move it on in the same variables object: a reconnect sends it again.",
      }),
    },
    async subscribe(_root, { roomId, after }, context) {
      const viewer = viewerOf(context);
      const id = rowId('Room', roomId);
      if (id === null) throw roomNotFound();
      return context.services.subscriptions.events(viewer, id, after ?? null);
    },
    resolve: (event) => event,
  }),
);
