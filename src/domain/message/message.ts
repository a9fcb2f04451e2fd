import { encodeMessageCursor } from '../cursor.js';
import type { History } from '../history.js';
import type { User } from '../user.js';

export const MESSAGE_TYPES = ['TEXT', 'MEMBER_JOINED', 'MEMBER_LEFT', 'MEMBER_REMOVED'] as const;
export type MessageType = (typeof MESSAGE_TYPES)[number];

export interface Message {
  readonly id: string;
  readonly roomId: string;
  /** The message's number in its room: 1, 2, 3 … without gaps. */
  readonly seq: number;
  /** The `rev` of this message's latest change. */
  readonly rev: number;
  readonly type: MessageType;
  readonly authorId: string | null;
  /** The author's profile as of the read or write; absent if the account is gone, or another release has sent it without. */
  readonly author?: User | undefined;
  /** The user who joined, left or was removed. Null for TEXT, and if the account was deleted. */
  readonly subjectId: string | null;
  readonly text: string;
  /** Starts at 1 and increases by 1 with every change of this message. */
  readonly revision: number;
  readonly clientMessageId: string | null;
  readonly createdAt: Date;
  /** The time of the latest change; null if there was none. */
  readonly changedAt: Date | null;
}

/** Whether the message records the end of a membership. Its subject may not read what follows. */
export function endsMembership({ type }: Message): boolean {
  return type === 'MEMBER_LEFT' || type === 'MEMBER_REMOVED';
}

/** Whether the message records the end of this user's membership. */
export function endsMembershipOf(userId: string, message: Message): boolean {
  return endsMembership(message) && message.subjectId === userId;
}

/** A message to store. The id is chosen before, so that a retry after an unknown outcome finds the stored message. */
export interface MessageDraft {
  readonly id: string;
  readonly authorId: string;
  readonly text: string;
  readonly clientMessageId: string | null;
}

/** A message with its cursor, which is the same in every page, delivery and result. */
export interface MessageEdge {
  readonly cursor: string;
  readonly node: Message;
}

export function messageEdge(history: History, message: Message): MessageEdge {
  const { roomId, seq } = message;
  return { cursor: encodeMessageCursor({ roomId, epoch: history.epoch, seq, rev: null }), node: message };
}
