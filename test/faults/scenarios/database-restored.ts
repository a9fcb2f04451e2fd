import { createRoom, page, send } from '../../helpers/client.js';
import { openOperations } from '../clients/operations.js';
import { at, openTestRoom } from '../clients/test-room.js';
import { type Watcher, watchEvents, watchMessages } from '../clients/watchers.js';
import type { Outcome, Scenario } from '../scenario.js';
import { check } from '../verdict/check.js';

/** A periodic comparison with the database detects the change, on each instance. */
const NOTIFY_TIMEOUT_MS = 15_000;
const ARRIVAL_TIMEOUT_MS = 30_000;

/**
 * One room is written to all the time, one until the backup is restored, and one not since the backup was made. The clients of
 * all three must be notified, because the whole database was replaced. Messages that were acknowledged between the backup and
 * its restoration are gone with the newer files and do not count; all others must be in the database and be delivered to every
 * client that started again. The fault is the restoration; recovery is the time until a client is notified.
 */
export const databaseRestored: Scenario = {
  name: 'database-restored',
  title: 'an older database restored behind running instances',
  keepsInstances: true,
  async run(environment, scale) {
    const [clientsPerInstance, between] = scale === 'full' ? [10, 2000] : [1, 60];
    const instances = await environment.startAll(2);
    const room = await openTestRoom(environment, { instances, subscribers: 0 });
    const { owner } = room;
    const idle = { written: `${room.name}, written`, quiet: `${room.name}, quiet` };
    const [written, quiet] = [await createRoom(owner, idle.written), await createRoom(owner, idle.quiet)];
    for (const roomId of [written, quiet]) await send(owner, roomId, 'before the backup');
    const load = room.send({ inFlight: 8, pauseMs: 20 });
    await load.acked(50);

    const watched = new Map<string, Watcher[]>();
    for (const [roomId, name] of [
      [room.id, room.name],
      [written, idle.written],
      [quiet, idle.quiet],
    ] as const) {
      const { liveCursor: cursor, edges } = await page(owner, roomId, { last: 1 });
      const watchers: Watcher[] = [];
      for (let index = 0; index < clientsPerInstance * instances.length; index += 1) {
        const operations = await openOperations(at(instances, index).webSocketUrl, owner.token);
        const options = { operations, roomId, cursor, after: edges[0]?.node.seq ?? 0 };
        watchers.push(watchMessages(options), watchEvents(options));
      }
      watched.set(name, watchers);
    }
    const all = [...watched.values()].flat();
    /** Resolves to the number of watchers that do not meet the condition in time. */
    const countFailing = async (
      watchers: readonly Watcher[],
      condition: (watcher: Watcher) => boolean,
      ms: number,
    ) => {
      const found = await Promise.all(watchers.map((watcher) => watcher.until(() => condition(watcher), ms)));
      return found.filter((one) => !one).length;
    };

    await environment.postgres.halt();
    await environment.postgres.snapshot();
    const backedUpAt = performance.now();
    await environment.postgres.resume();
    await load.acked(load.sent.length + between);
    const lastWritten = await send(owner, written, 'after the backup');
    const missing = await countFailing(
      watched.get(idle.written) ?? [],
      ({ log }) => log.seen.at(-1)?.seq === lastWritten.node.seq,
      ARRIVAL_TIMEOUT_MS,
    );
    if (missing > 0) throw new Error(`${missing} clients were not live before the fault.`);
    if (all.some(({ resets }) => resets.length > 0))
      throw new Error('A restart alone was reported as RESET.');

    await environment.postgres.halt('immediate');
    await environment.postgres.restore();
    const restoredAt = performance.now();
    await environment.postgres.resume();
    const unnotified = await countFailing(all, ({ resets }) => resets.length > 0, NOTIFY_TIMEOUT_MS);
    if (unnotified > 0)
      throw new Error(`${unnotified} of ${all.length} clients were never notified of the RESET.`);

    await load.acked(load.sent.length + between);
    await load.finish();
    for (const roomId of [room.id, written, quiet]) await send(owner, roomId, 'live again');
    const kept = load.sent.filter(({ acked }) => !acked || acked.at < backedUpAt || acked.at > restoredAt);
    const outcome = { lost: 0, duplicated: 0, outOfOrder: 0, unseen: 0 };
    for (const [name, watchers] of watched) {
      const rows = await environment.rows(name);
      const isThere = ({ log }: Watcher) => (log.seen.at(-1)?.seq ?? log.after) >= rows.length;
      await countFailing(watchers, isThere, ARRIVAL_TIMEOUT_MS);
      const acked = name === room.name ? kept.flatMap((message) => message.acked ?? []) : [];
      const verdict = check(
        rows,
        acked,
        watchers.map(({ log }) => log),
      );
      for (const count of ['lost', 'duplicated', 'outOfOrder', 'unseen'] as const)
        outcome[count] += verdict[count];
    }
    const again = all.filter(({ resets }) => resets.length > 1).length;
    return {
      ...outcome,
      sent: kept.length,
      acked: kept.filter(({ acked }) => acked).length,
      recoveryMs: all.map(({ resets }) => at(resets, 0) - restoredAt),
      notes: `${all.length} clients notified, ${again} of them more than once; ${load.sent.length - kept.length} messages discarded with the newer files`,
    } satisfies Outcome;
  },
};
