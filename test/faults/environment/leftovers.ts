import { setTimeout as sleep } from 'node:timers/promises';
import type { Redis } from 'ioredis';
import postgres from 'postgres';
import { openFiles } from './process-stats.js';

/** Things that an instance holds for its clients, by their names: channels, open files. */
export type Holdings = ReadonlyMap<string, number>;

const TIMEOUT_MS = 15_000;
const POLL_INTERVAL_MS = 100;

/** The number of instances that are subscribed to each channel of the deployment: one channel for each watched room. */
export async function channelSubscribers(redis: Redis, prefix: string): Promise<Holdings> {
  // Redis replies with strings; to NUMSUB with names and numbers alternately.
  const names = (await redis.pubsub('CHANNELS', `${prefix}:*`)) as string[];
  const answer = names.length > 0 ? await redis.pubsub('NUMSUB', ...names) : [];
  return new Map(names.map((name) => [name, Number(answer[answer.indexOf(name) + 1])]));
}

/**
 * The open files of all instances together, without their connections to the database: a pool opens those as it needs them,
 * and keeps them.
 */
export async function filesForClients(databaseUrl: string, pids: readonly number[]): Promise<Holdings> {
  const sql = postgres(databaseUrl, { max: 1 });
  try {
    const [row] = await sql<{ count: number }[]>`
      select count(*)::int as count from pg_stat_activity
      where datname = current_database() and application_name = 'parley'`;
    const files = pids.reduce((total, pid) => total + openFiles(pid), 0);
    return new Map([['all instances', files - (row?.count ?? 0)]]);
  } finally {
    await sql.end();
  }
}

/** The entries that have grown since `before`, as text. */
export function extra(before: Holdings, now: Holdings): readonly string[] {
  return [...now].flatMap(([name, number]) => {
    const old = before.get(name) ?? 0;
    return number > old ? [`${name}: ${number}, not ${old}`] : [];
  });
}

/**
 * Waits until nothing is left: an instance leaves a room half a second after its last subscriber, and releases a socket when
 * it notices its end.
 *
 * @throws Error that lists what is left after 15 s.
 */
export async function untilEmpty(complaint: string, left: () => Promise<readonly string[]>): Promise<void> {
  const start = performance.now();
  for (let found = await left(); found.length > 0; found = await left()) {
    if (performance.now() - start > TIMEOUT_MS) throw new Error(`${complaint}: ${found.join('; ')}.`);
    await sleep(POLL_INTERVAL_MS);
  }
}
