import { z } from 'zod';
import type { RoomChanged } from '../domain/events.js';
import { MESSAGE_TYPES, type Message } from '../domain/message/message.js';
import type { User } from '../domain/user.js';

/**
 * Maximum size of an envelope, in bytes. Larger changes are divided into several. A message that does not fit into one is
 * left out, and receivers read it from the database.
 */
const MAX_ENVELOPE_BYTES = 64 * 1024;
/** Maximum size of an envelope without its messages and authors, and of a row without its texts, in bytes. */
const FRAME_BYTES = 512;
/** Maximum number of bytes that a UTF-16 code unit takes in JSON, as an escape. */
const BYTES_PER_UNIT = 6;

const counter = z.int().nonnegative();
const messageSchema = z.object({
  id: z.guid(),
  seq: counter,
  rev: counter,
  type: z.enum(MESSAGE_TYPES),
  authorId: z.guid().nullable(),
  subjectId: z.guid().nullish(),
  text: z.string(),
  revision: counter,
  clientMessageId: z.string().nullable(),
  createdAt: z.number(),
  changedAt: z.number().nullish(),
});

const authorSchema = z.object({
  id: z.guid(),
  username: z.string(),
  displayName: z.string(),
  avatarUrl: z.string().nullable(),
  createdAt: z.number(),
});

/** Version 1. An incompatible change needs a new number, since instances of both versions run during a rolling restart. */
const envelopeSchema = z.object({
  v: z.literal(1),
  roomId: z.guid(),
  epoch: z.string().regex(/^[0-9a-f]{16}$/),
  seq: counter,
  rev: counter,
  messages: z.array(messageSchema),
  /** Each author once, whatever the number of their messages. A missing author is read from the database. */
  authors: z.array(authorSchema).optional(),
});

/** Divides a change into parts whose envelopes are small enough. Each part has the head of the whole change. */
export function partsOf(change: RoomChanged): readonly RoomChanged[] {
  if (roughSizeOf(change.messages) <= MAX_ENVELOPE_BYTES) return [change];
  const parts: Message[][] = [];
  let part: Message[] = [];
  let bytes = MAX_ENVELOPE_BYTES;
  for (const message of change.messages) {
    const size = sizeOf(message);
    if (bytes + size > MAX_ENVELOPE_BYTES) {
      part = [];
      parts.push(part);
      bytes = FRAME_BYTES;
    }
    part.push(message);
    bytes += size;
  }
  return parts.map((messages) => ({ ...change, messages }));
}

/** An upper bound, without encoding anything. */
function roughSizeOf(messages: readonly Message[]): number {
  const authors = new Set<User>();
  let units = 0;
  for (const { text, clientMessageId, author } of messages) {
    units += text.length + (clientMessageId?.length ?? 0);
    if (author) authors.add(author);
  }
  for (const { displayName, avatarUrl } of authors) units += displayName.length + (avatarUrl?.length ?? 0);
  return FRAME_BYTES * (1 + messages.length + authors.size) + BYTES_PER_UNIT * units;
}

/** The size of a message and its author in an envelope, at most. */
function sizeOf(message: Message): number {
  const { author } = message;
  const rows = JSON.stringify(rowOf(message)) + (author ? JSON.stringify(authorRowOf(author)) : '');
  return Buffer.byteLength(rows) + 2;
}

/** Encodes a change for the bus, without its messages if they exceed 64 KiB. */
export function encodeEnvelope({ roomId, epoch, head, messages }: RoomChanged): string {
  const authors = new Map(messages.flatMap(({ author }) => (author ? [[author.id, author]] : [])));
  const encode = (kept: readonly Message[]) =>
    JSON.stringify({
      v: 1,
      roomId,
      epoch,
      ...head,
      messages: kept.map(rowOf),
      authors: kept.length > 0 ? [...authors.values()].map(authorRowOf) : [],
    });
  const whole = encode(messages);
  return Buffer.byteLength(whole) <= MAX_ENVELOPE_BYTES ? whole : encode([]);
}

/**
 * Decodes an envelope.
 *
 * @throws Error if the text is not a valid envelope.
 */
export function decodeEnvelope(text: string): RoomChanged {
  const { roomId, epoch, seq, rev, messages, authors = [] } = envelopeSchema.parse(JSON.parse(text));
  const byId = new Map(authors.map((row) => [row.id, authorOf(row)]));
  return { roomId, epoch, head: { seq, rev }, messages: messages.map((row) => messageOf(roomId, row, byId)) };
}

// Listed field by field: with rest and spread, a message took ten times as long.

function rowOf(message: Message): z.input<typeof messageSchema> {
  return {
    id: message.id,
    seq: message.seq,
    rev: message.rev,
    type: message.type,
    authorId: message.authorId,
    subjectId: message.subjectId,
    text: message.text,
    revision: message.revision,
    clientMessageId: message.clientMessageId,
    createdAt: message.createdAt.getTime(),
    changedAt: message.changedAt?.getTime(),
  };
}

function messageOf(
  roomId: string,
  row: z.output<typeof messageSchema>,
  authors: ReadonlyMap<string, User>,
): Message {
  return {
    id: row.id,
    roomId,
    seq: row.seq,
    rev: row.rev,
    type: row.type,
    authorId: row.authorId,
    author: row.authorId === null ? undefined : authors.get(row.authorId),
    subjectId: row.subjectId ?? null,
    text: row.text,
    revision: row.revision,
    clientMessageId: row.clientMessageId,
    createdAt: new Date(row.createdAt),
    changedAt: row.changedAt == null ? null : new Date(row.changedAt),
  };
}

function authorRowOf({
  id,
  username,
  displayName,
  avatarUrl,
  createdAt,
}: User): z.input<typeof authorSchema> {
  return { id, username, displayName, avatarUrl, createdAt: createdAt.getTime() };
}

function authorOf({ id, username, displayName, avatarUrl, createdAt }: z.output<typeof authorSchema>): User {
  return { id, username, displayName, avatarUrl, createdAt: new Date(createdAt) };
}
