import type { MessageEvent } from '../domain/events.js';
import { endsMembershipOf, type Message } from '../domain/message.js';
import type { Head, Position } from '../domain/position.js';

/**
 * What took a room from one head to the next: one event, or a block of events that a repair found together, in which a
 * change that was overtaken by a later one has no place of its own any more.
 */
export interface Step {
  readonly from: Head;
  readonly to: Head;
  readonly events: readonly MessageEvent[];
}

/** What a step holds for a reader. */
export interface Portion {
  /** The events to deliver, in this order. */
  readonly events: readonly MessageEvent[];
  /** The reader's position after all of them. */
  readonly end: Position;
  /** The message that ends the reader's access: nothing after it is delivered. Null if access continues. */
  readonly accessEnd: Message | null;
}

/** Whose access a portion depends on. */
export interface Access {
  readonly userId: string;
  /** The `seq` up to which the membership is known from the database. */
  readonly checkedSeq: number;
}

/**
 * Decides which events of a step a reader gets, up to where, and whether access ends in it. All readers of a room are
 * served by this one rule: alone, or in a group.
 *
 * @param access null for a group of readers, whose members' access is checked one by one; see `endsAccess`.
 */
export function portionOf(step: Step, position: Position, access: Access | null): Portion {
  const end = advanced(position, step.to);
  const index = access ? step.events.findIndex(({ message }) => endsAccess(access, message)) : -1;
  const accessEnd = step.events[index]?.message ?? null;
  const readable = accessEnd
    ? // In a block, messages that were changed after the removal stand before it too, as they are by now.
      step.events.slice(0, index).filter(({ message }) => message.rev < accessEnd.rev)
    : step.events;
  return { events: readable.filter((event) => isUnseen(event, position)), end, accessEnd };
}

/** Whether the message ends a membership that was last checked before it. Earlier ends were followed by a new join. */
export function endsAccess({ checkedSeq, userId }: Access, message: Message): boolean {
  return message.seq > checkedSeq && endsMembershipOf(userId, message);
}

/** A reader's position after an event or a step that ends at the given place. */
export function advanced(position: Position, to: Position): Position {
  return { seq: to.seq, rev: position.rev === null ? null : to.rev };
}

function isUnseen({ kind, message }: MessageEvent, { seq, rev }: Position): boolean {
  return kind === 'added' ? message.seq > seq : rev !== null;
}

/** What is left of a step for a reader in the middle of it. */
export function restOf({ to, events }: Step, from: Head): Step {
  const end = { seq: Math.max(to.seq, from.seq), rev: to.rev };
  const messages = events.map(({ message }) => message);
  return { from, to: end, events: block(from, end, messages) };
}

/**
 * The events between two heads, made from the messages as they are now: first those that were added, by `seq`, then the
 * changes of older ones, by `rev`. A reader who has seen only some of them resumes from the old `rev`, and gets a change
 * twice at worst. A reader who has seen all of them is at the end.
 *
 * @param messages must include all that were added or changed.
 */
export function block(from: Head, to: Head, messages: readonly Message[]): MessageEvent[] {
  const added = messages.filter(({ seq }) => seq > from.seq).sort((a, b) => a.seq - b.seq);
  const changed = messages
    .filter(({ seq, rev, revision }) => seq <= from.seq && rev > from.rev && revision > 1)
    .sort((a, b) => a.rev - b.rev);
  const events = [
    ...added.map((message) => eventOf('added', message, { seq: message.seq, rev: from.rev })),
    ...changed.map((message) => eventOf('changed', message, { seq: to.seq, rev: message.rev })),
  ];
  const last = events.pop();
  if (last) events.push({ ...last, position: to });
  return events;
}

function eventOf(kind: MessageEvent['kind'], message: Message, position: Position): MessageEvent {
  return { kind, message, position };
}
