import type { MessageEvent } from '../domain/events.js';
import { endsMembershipOf, type Message } from '../domain/message/message.js';
import type { Head, Position } from '../domain/position.js';

/**
 * The events from one head of a room to the next: a single event, or a block of events that a repair read together. In a
 * block, a message that was changed several times appears once, with its latest change.
 */
export interface Step {
  readonly from: Head;
  readonly to: Head;
  readonly events: readonly MessageEvent[];
}

/** The part of a step that one reader receives. */
export interface Portion {
  /** The events to deliver, in this order. */
  readonly events: readonly MessageEvent[];
  /** The reader's position after all of them. */
  readonly end: Position;
  /** The message that ends the reader's access: nothing after it is delivered. Null if access continues. */
  readonly accessEnd: Message | null;
}

/** The facts that decide whether a message ends a reader's access. */
export interface Access {
  readonly userId: string;
  /** The `seq` up to which the database has confirmed the membership. */
  readonly checkedSeq: number;
}

/**
 * Decides which events of a step a reader gets, up to where, and whether access ends in it. This one rule serves all readers
 * of a room, alone or in a group.
 *
 * @param access null for a group of readers, whose access is checked one by one; see `endsAccess`.
 */
export function portionOf(step: Step, position: Position, access: Access | null): Portion {
  const end = advanced(position, step.to);
  const index = access ? step.events.findIndex(({ message }) => endsAccess(access, message)) : -1;
  const accessEnd = step.events[index]?.message ?? null;
  const readable = accessEnd
    ? // In a block, messages that were changed after the removal also appear before it, in their current state.
      step.events.slice(0, index).filter(({ message }) => message.rev < accessEnd.rev)
    : step.events;
  return { events: readable.filter((event) => isUnseen(event, position)), end, accessEnd };
}

/**
 * Whether the message ends the reader's access. The end of a membership up to `checkedSeq` does not: the user has joined
 * again since.
 */
export function endsAccess({ checkedSeq, userId }: Access, message: Message): boolean {
  return message.seq > checkedSeq && endsMembershipOf(userId, message);
}

/** The position of a reader after an event or a step that ends at `to`. */
export function advanced(position: Position, to: Position): Position {
  return { seq: to.seq, rev: position.rev === null ? null : to.rev };
}

function isUnseen({ kind, message }: MessageEvent, { seq, rev }: Position): boolean {
  return kind === 'added' ? message.seq > seq : rev !== null;
}

/** The remainder of a step for a reader who is inside it. */
export function remainderOf({ to, events }: Step, from: Head): Step {
  const end = { seq: Math.max(to.seq, from.seq), rev: to.rev };
  const messages = events.map(({ message }) => message);
  return { from, to: end, events: blockEvents(from, end, messages) };
}

/**
 * Creates the events of a block between two heads from the messages in their current state: first the added messages by
 * `seq`, then changes of older ones by `rev`. A reader who has seen only some of them resumes from the old `rev`, and
 * receives a change twice at worst. A reader who has seen all of them is at the end.
 *
 * @param messages must include all messages that were added or changed between the heads.
 */
export function blockEvents(from: Head, to: Head, messages: readonly Message[]): MessageEvent[] {
  const added = messages.filter(({ seq }) => seq > from.seq).sort((a, b) => a.seq - b.seq);
  const changed = messages
    .filter(({ seq, rev, revision }) => seq <= from.seq && rev > from.rev && revision > 1)
    .sort((a, b) => a.rev - b.rev);
  const events = [
    ...added.map((message) => createEvent('added', message, { seq: message.seq, rev: from.rev })),
    ...changed.map((message) => createEvent('changed', message, { seq: to.seq, rev: message.rev })),
  ];
  const last = events.pop();
  if (last) events.push({ ...last, position: to });
  return events;
}

/**
 * Divides what follows a head into steps, as small as possible. A message that was changed later is found at its latest
 * `rev`, so the messages added before that change form one block with it.
 *
 * @param messages by `rev`, all that follow the head up to some `rev`. The last ones are left out if they form no whole
 *   block, because more messages follow.
 */
export function stepsOf(start: Head, messages: readonly Message[]): Step[] {
  const steps: Step[] = [];
  let from = start;
  let block: Message[] = [];
  let added = 0;
  let lastSeq = start.seq;
  for (const message of messages) {
    block.push(message);
    if (message.seq > from.seq) added += 1;
    lastSeq = Math.max(lastSeq, message.seq);
    // An added message between is missing: it was changed later.
    if (lastSeq - from.seq !== added) continue;
    const to = { seq: lastSeq, rev: message.rev };
    steps.push({ from, to, events: blockEvents(from, to, block) });
    from = to;
    block = [];
    added = 0;
  }
  return steps;
}

/** The head after which all of these messages were added or changed, if they are all that have a `rev` after the given one. */
export function headBefore(messages: readonly Message[], { seq: lastSeq }: Head, rev: number): Head {
  const seqs = new Set(messages.map(({ seq }) => seq));
  let seq = lastSeq;
  while (seqs.has(seq)) seq -= 1;
  return { seq, rev };
}

function createEvent(kind: MessageEvent['kind'], message: Message, position: Position): MessageEvent {
  return { kind, message, position };
}
