import type { ChangeLog, RecentChanges, Snapshot } from '../domain/recent/changes.js';
import type { ChangedProfile } from '../domain/user.js';
import { epochOf, IDENTITY_COLUMNS } from './message/head.js';
import type { Database, Pool } from './pool.js';
import { runPrepared } from './prepared.js';
import { createStore } from './store.js';

/** The oldest transaction that may still run: whatever is committed later belongs to it or to a later one. */
const OLDEST_RUNNING = 'pg_snapshot_xmin(pg_current_snapshot())::text as oldest_running';

/** What the snapshot $1 has not seen. The first condition finds it in the index. */
const IS_NEW = `recent.xid >= pg_snapshot_xmin($1::pg_snapshot)
      and not pg_visible_in_snapshot(recent.xid, $1::pg_snapshot)`;

/**
 * Changes when the server restarts and when tables are replaced, as by a restored dump. Rewriting a table (`VACUUM FULL`)
 * changes it too, which costs one comparison of all heads.
 */
const INCARNATION = `concat_ws(' ', pg_postmaster_start_time(), pg_relation_filenode('rooms'), pg_relation_filenode('messages'))`;

const READ_RECENT = `
  select ${IDENTITY_COLUMNS}, pg_current_snapshot()::text as snapshot, ${OLDEST_RUNNING}, ${INCARNATION} as incarnation, changed.*
  from (values (true)) as one
  left join (
    select recent.room_id, max(recent.seq) as seq, max(recent.rev) as rev, null::uuid as user_id, null as username,
      null as display_name, null as avatar_url, null::timestamptz as created_at,
      null::timestamptz as changed_at, false as is_ended
    from recent_changes as recent where ${IS_NEW} and recent.room_id is not null
    group by recent.room_id
    union all
    select null, null, null, users.id, users.username, users.display_name, users.avatar_url, users.created_at,
      changed_user.changed_at, users.deleted_at is not null
    from (
      select recent.user_id, max(recent.at) as changed_at from recent_changes as recent
      where ${IS_NEW} and recent.user_id is not null
      group by recent.user_id
    ) as changed_user join users on users.id = changed_user.user_id
  ) as changed on true`;

async function readRecent(db: Database, since: Snapshot): Promise<RecentChanges> {
  const rows = await runPrepared<RecentRow>(db, READ_RECENT, [since]);
  const [first] = rows;
  if (!first) throw new Error('The database has not answered.');
  return {
    epoch: epochOf(rows),
    isMoved: first.is_moved,
    snapshot: first.snapshot,
    oldestRunning: first.oldest_running,
    incarnation: first.incarnation,
    heads: new Map(
      rows.flatMap(({ room_id: id, seq, rev }) => (id === null ? [] : [[id, { seq, rev: Number(rev) }]])),
    ),
    profiles: rows.flatMap((row) =>
      row.user_id === null || row.is_ended ? [] : [profileOf(row, row.user_id)],
    ),
    endedUserIds: rows.flatMap((row) => (row.user_id === null || !row.is_ended ? [] : [row.user_id])),
  };
}

interface RecentRow {
  epoch: string | null;
  is_moved: boolean;
  snapshot: string;
  oldest_running: string;
  incarnation: string;
  room_id: string | null;
  seq: number;
  rev: string;
  user_id: string | null;
  username: string;
  display_name: string;
  avatar_url: string | null;
  created_at: string;
  changed_at: string;
  is_ended: boolean;
}

function profileOf(row: RecentRow, id: string): ChangedProfile {
  return {
    user: {
      id,
      username: row.username,
      displayName: row.display_name,
      avatarUrl: row.avatar_url,
      createdAt: new Date(row.created_at),
    },
    changedAt: new Date(row.changed_at),
  };
}

const APPLY_ACTIVITY = 'select applied_to::text, updated from apply_activity($1::xid8, $2::xid8)';

export function createChangeLog(pool: Pool): ChangeLog {
  const policy = { retry: 'idempotent', turn: 'repair' } as const;
  return createStore<ChangeLog>(pool, { readRecent: policy, applyActivity: policy }, (db) => ({
    readRecent: (since) => readRecent(db, since),
    async applyActivity({ since, forget }) {
      const [row] = await runPrepared<{ applied_to: string | null; updated: number }>(db, APPLY_ACTIVITY, [
        since,
        forget,
      ]);
      return { appliedTo: row?.applied_to ?? null, updated: row?.updated ?? 0 };
    },
  }));
}
