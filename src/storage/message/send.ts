import type { MessageDraft } from '../../domain/message/message.js';
import type { RoomDrafts, SendOutcome, Sent } from '../../domain/message/store.js';
import type { User } from '../../domain/user.js';
import type { Database } from '../pool.js';
import { runPrepared } from '../prepared.js';
import { JOIN_AUTHOR, MESSAGE_COLUMNS, type MessageRow, messageOf } from './row.js';

const SEND = `
  select outcome, epoch, last_seq, last_rev, ${MESSAGE_COLUMNS}
  from send_messages($1::uuid, $2::jsonb)
    with ordinality as sent(outcome, epoch, last_seq, last_rev, message, place)
  ${JOIN_AUTHOR}
  order by place`;

export async function sendToRoom(
  db: Database,
  roomId: string,
  drafts: readonly MessageDraft[],
): Promise<Sent> {
  const rows = await runPrepared<SendRow>(db, SEND, [roomId, JSON.stringify(drafts.map(draftRow))]);
  return sentTo(roomId, rows);
}

const SEND_TO_ROOMS = `
  select batch, outcome, epoch, last_seq, last_rev, ${MESSAGE_COLUMNS}
  from send_to_rooms($1::jsonb)
    with ordinality as sent(batch, outcome, epoch, last_seq, last_rev, message, place)
  ${JOIN_AUTHOR}
  order by place`;

export async function sendToRooms(
  db: Database,
  rooms: readonly RoomDrafts[],
): Promise<readonly (Sent | 'busy')[]> {
  const batches = rooms.map(({ roomId, drafts }) => ({ room_id: roomId, drafts: drafts.map(draftRow) }));
  const rows = await runPrepared<BatchRow>(db, SEND_TO_ROOMS, [JSON.stringify(batches)]);
  const byRoom = rooms.map((): SendRow[] => []);
  const isBusy = rooms.map(() => false);
  for (const row of rows)
    if (row.outcome === 'busy') isBusy[row.batch - 1] = true;
    else byRoom[row.batch - 1]?.push({ ...row, outcome: row.outcome });
  return rooms.map(({ roomId }, index) => (isBusy[index] ? 'busy' : sentTo(roomId, byRoom[index] ?? [])));
}

function sentTo(roomId: string, rows: readonly SendRow[]): Sent {
  const authors = new Map<string, User>();
  const outcomes = rows.map((row) => sendOutcome(row, authors));
  const messages = outcomes.flatMap((outcome) => (outcome.kind === 'sent' ? [outcome.message] : []));
  const last = rows.at(-1);
  if (!last || messages.length === 0) return { outcomes, change: null };
  const head = { seq: last.last_seq, rev: Number(last.last_rev) };
  return { outcomes, change: { roomId, epoch: last.epoch, head, messages } };
}

type SendRow = MessageRow & {
  outcome: SendOutcome['kind'];
  epoch: string;
  last_seq: number;
  last_rev: string;
};

type BatchRow = Omit<SendRow, 'outcome'> &
  MessageRow & { batch: number; outcome: SendRow['outcome'] | 'busy' };

function draftRow(draft: MessageDraft) {
  return {
    id: draft.id,
    author_id: draft.authorId,
    text: draft.text,
    client_message_id: draft.clientMessageId,
  };
}

function sendOutcome(row: SendRow, authors: Map<string, User>): SendOutcome {
  switch (row.outcome) {
    case 'sent':
    case 'repeated':
      return { kind: row.outcome, message: messageOf(row, authors) };
    case 'conflict':
      return { kind: row.outcome, existingId: row.id };
    default:
      return { kind: row.outcome };
  }
}
