import { assertWithinHistory, encodeMessageCursor } from './cursor.js';
import type { Deliver } from './deliver.js';
import { IdempotencyConflictError, inputRoomNotFound, NotAMemberError, notAReader } from './errors.js';
import type { History } from './history.js';
import { newId } from './id.js';
import { type MessageEdge, messageEdge } from './message.js';
import type { MessageStore } from './message-store.js';
import { type ConnectionArguments, type MessageRange, messageRange, type Page } from './page.js';
import type { Log, RateLimiter } from './ports.js';
import { createSendQueue } from './send-queue.js';
import { assertValid, textIssues } from './text.js';
import type { Viewer } from './user.js';

export interface MessagePage extends Page<MessageEdge> {
  /** The position that the page ends at: a subscription after it goes on without a gap or a repeat. */
  readonly liveCursor: string;
}

export interface MessageServices {
  readonly messages: MessageStore;
  readonly limits: RateLimiter;
  readonly history: History;
  /** Delivers what was written, here and on other instances. */
  readonly deliver: Deliver;
  readonly log: Log;
}

/** `text` is stored as given: no Unicode normalisation, no trimming. */
const TEXT = { min: 1, max: 4000, form: 'text' } as const;
const CLIENT_MESSAGE_ID = { min: 1, max: 64, form: 'text' } as const;

export function createMessages({ messages, limits, history, deliver, log }: MessageServices) {
  const queue = createSendQueue(messages, deliver, log);

  return {
    /**
     * Stores the message, then delivers it. A retry with the same `clientMessageId` gets the first message.
     *
     * @throws ValidationError, NotFoundError, NotAMemberError, IdempotencyConflictError, RateLimitedError
     */
    async send(
      viewer: Viewer,
      input: { roomId: string | null; text: string; clientMessageId?: string | null },
    ): Promise<MessageEdge> {
      const { roomId, text, clientMessageId = null } = input;
      assertValid(
        textIssues('text', text, TEXT),
        clientMessageId === null ? [] : textIssues('clientMessageId', clientMessageId, CLIENT_MESSAGE_ID),
      );
      if (roomId === null) throw inputRoomNotFound();
      await limits.consume('sendMessage', viewer.userId);
      const outcome = await queue.send(roomId, {
        id: newId(),
        authorId: viewer.userId,
        text,
        clientMessageId,
      });
      switch (outcome.kind) {
        case 'sent':
        case 'repeated':
          return messageEdge(history, outcome.message);
        case 'conflict':
          throw new IdempotencyConflictError(outcome.existingId);
        case 'not-found':
          throw inputRoomNotFound();
        case 'not-a-member':
          throw new NotAMemberError();
      }
    },

    /**
     * A page of the room's history; null where there is no such room for the viewer.
     *
     * @throws ForbiddenError where the viewer sees the room but is not in it, BadUserInputError, HistoryGapError
     */
    async page(viewer: Viewer, roomId: string, args: ConnectionArguments): Promise<MessagePage | null> {
      const range = messageRange(args, roomId);
      const { from, size, after, before } = range;
      const snapshot = await messages.read(roomId, viewer.userId, {
        from,
        size,
        after: after?.seq ?? null,
        before: before?.seq ?? null,
      });
      if (!snapshot) return null;
      if (!snapshot.isMember) throw notAReader();
      const { head, messages: items } = snapshot;
      for (const cursor of [range.after, range.before])
        if (cursor) assertWithinHistory(cursor, history.epoch, head);
      const end = items.at(-1)?.seq ?? emptyPageEnd(range, head.seq);
      return {
        items: items.map((message) => messageEdge(history, message)),
        // The sequence has no holes, so where a page ends says all about what lies beyond it.
        hasNextPage: end < head.seq,
        hasPreviousPage: (items[0]?.seq ?? end + 1) > 1,
        liveCursor: encodeMessageCursor({ roomId, epoch: history.epoch, seq: end, rev: head.rev }),
      };
    },
  };
}

export type Messages = ReturnType<typeof createMessages>;

/** Where a page without messages ends: at the cursor it was read from, else at that end of the room. */
function emptyPageEnd({ from, after, before }: MessageRange, lastSeq: number): number {
  const start = after?.seq ?? 0;
  if (from === 'start') return start;
  return Math.max(start, before ? before.seq - 1 : lastSeq);
}
