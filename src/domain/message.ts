import { encodeMessageCursor } from './cursor.js';
import type { History } from './history.js';
import type { User } from './user.js';

export const MESSAGE_TYPES = ['TEXT', 'MEMBER_JOINED', 'MEMBER_LEFT', 'MEMBER_REMOVED'] as const;
export type MessageType = (typeof MESSAGE_TYPES)[number];

export interface Message {
  readonly id: string;
  readonly roomId: string;
  /** Its place in the room: 1, 2, 3 … without holes. */
  readonly seq: number;
  /** The room's `rev` of this message's latest change. */
  readonly rev: number;
  readonly type: MessageType;
  readonly authorId: string | null;
  /** The author as they stood when it was written or changed; absent where it was read later, without them. */
  readonly author?: User | undefined;
  /** Whom it concerns: who joined, left or was removed. Null in TEXT, and where the account is gone. */
  readonly subjectId: string | null;
  readonly text: string;
  /** 1, and one more with every change of this message. */
  readonly revision: number;
  readonly clientMessageId: string | null;
  readonly createdAt: Date;
  /** When it was last changed; null where it never was. */
  readonly changedAt: Date | null;
}

/** Whether the message records the end of a membership, after which its subject may no longer read the room. */
export function endsMembership({ type }: Message): boolean {
  return type === 'MEMBER_LEFT' || type === 'MEMBER_REMOVED';
}

/** Whether the message records the end of this user's membership. */
export function endsMembershipOf(userId: string, message: Message): boolean {
  return endsMembership(message) && message.subjectId === userId;
}

/** A message that is not stored yet. The id is made here, so that an unknown outcome can be looked up. */
export interface MessageDraft {
  readonly id: string;
  readonly authorId: string;
  readonly text: string;
  readonly clientMessageId: string | null;
}

/** A message with its cursor: the same in every page, delivery and result. */
export interface MessageEdge {
  readonly cursor: string;
  readonly node: Message;
}

export function messageEdge(history: History, message: Message): MessageEdge {
  const { roomId, seq } = message;
  return { cursor: encodeMessageCursor({ roomId, epoch: history.epoch, seq, rev: null }), node: message };
}
