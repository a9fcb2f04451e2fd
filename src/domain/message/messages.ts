import { assertWithinHistory, encodeMessageCursor } from '../cursor.js';
import {
  IdempotencyConflictError,
  inputRoomNotFound,
  NotAMemberError,
  RoomFullError,
  readForbidden,
} from '../errors.js';
import type { PublishChange } from '../events.js';
import type { History } from '../history.js';
import { newId } from '../id.js';
import { type Memberships, membershipIn } from '../memberships.js';
import { type ConnectionArguments, type MessageRange, messageRange, type Page } from '../page.js';
import type { Log, RateLimiter } from '../ports.js';
import { assertValid, TEXT_RULES, textIssues } from '../text/text.js';
import type { Viewer } from '../user.js';
import { type MessageEdge, messageEdge } from './message.js';
import { createSendQueue } from './send-queue.js';
import { createSendTogether } from './send-together.js';
import type { MessageStore } from './store.js';

export interface MessagePage extends Page<MessageEdge> {
  /** The position at the end of the page. A subscription after it continues without a gap or a duplicate. */
  readonly liveCursor: string;
}

export interface MessageServices {
  readonly messages: MessageStore;
  readonly memberships: Memberships;
  readonly limits: RateLimiter;
  readonly history: History;
  readonly publish: PublishChange;
  readonly log: Log;
}

export function createMessages({ messages, memberships, limits, history, publish, log }: MessageServices) {
  const queue = createSendQueue(createSendTogether(messages), publish, log);

  return {
    /** Messages that wait to be stored. */
    get pending() {
      return queue.size;
    },

    /**
     * Stores the message, then publishes it. A retry with the same `clientMessageId` returns the first message.
     *
     * @throws ValidationError, NotFoundError, NotAMemberError, IdempotencyConflictError, RateLimitedError,
     *   RoomFullError
     */
    async send(
      viewer: Viewer,
      input: { roomId: string | null; text: string; clientMessageId?: string | null },
    ): Promise<MessageEdge> {
      const { roomId, text, clientMessageId = null } = input;
      assertValid(
        textIssues('text', text, TEXT_RULES.messageText),
        clientMessageId === null
          ? []
          : textIssues('clientMessageId', clientMessageId, TEXT_RULES.clientMessageId),
      );
      if (roomId === null) throw inputRoomNotFound();
      await limits.consume('sendMessage', viewer.userId);
      const authorId = viewer.userId;
      // Who is not a member does not wait in the room's queue. For a member, the database decides under the room's lock.
      const membership = await memberships.of(roomId, authorId);
      const outcome =
        membership === 'member'
          ? await queue.send(roomId, { id: newId(), authorId, text, clientMessageId })
          : { kind: membership };
      switch (outcome.kind) {
        case 'sent':
        case 'repeated':
          return messageEdge(history, outcome.message);
        case 'conflict':
          throw new IdempotencyConflictError(outcome.existingId);
        case 'full':
          throw new RoomFullError();
      }
      memberships.forget(roomId, authorId);
      throw outcome.kind === 'not-found' ? inputRoomNotFound() : new NotAMemberError();
    },

    /**
     * Returns a page of the room's history; null if the room does not exist for the viewer.
     *
     * @throws ForbiddenError if the viewer may see the room but is not a member; BadUserInputError, HistoryGapError
     */
    async page(viewer: Viewer, roomId: string, args: ConnectionArguments): Promise<MessagePage | null> {
      const range = messageRange(args, roomId);
      const { from, size, after, before } = range;
      const snapshot = await messages.read(roomId, [viewer.userId], {
        from,
        size,
        after: after?.seq ?? null,
        before: before?.seq ?? null,
      });
      const membership = snapshot && membershipIn(snapshot, viewer.userId);
      if (!snapshot || membership === 'not-found') return null;
      if (membership === 'not-a-member') throw readForbidden();
      memberships.remember(roomId, viewer.userId);
      const { head, messages: items } = snapshot;
      for (const cursor of [range.after, range.before])
        if (cursor) assertWithinHistory(cursor, history.epoch, head);
      const end = items.at(-1)?.seq ?? emptyPageEnd(range, head.seq);
      return {
        items: items.map((message) => messageEdge(history, message)),
        // The sequence has no gaps, so the ends of the page show whether more messages lie beyond them.
        hasNextPage: end < head.seq,
        hasPreviousPage: (items[0]?.seq ?? end + 1) > 1,
        liveCursor: encodeMessageCursor({ roomId, epoch: history.epoch, seq: end, rev: head.rev }),
      };
    },
  };
}

export type Messages = ReturnType<typeof createMessages>;

/** The `seq` at which an empty page ends: at the cursor it was read from, otherwise at that end of the room. */
function emptyPageEnd({ from, after, before }: MessageRange, lastSeq: number): number {
  const start = after?.seq ?? 0;
  if (from === 'start') return start;
  return Math.max(start, before ? before.seq - 1 : lastSeq);
}
