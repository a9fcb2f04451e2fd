import { page } from '../../helpers/client.js';
import { openOperations } from '../clients/operations.js';
import { at, openTestRoom } from '../clients/test-room.js';
import { type Watcher, watchEvents, watchMessages } from '../clients/watchers.js';
import type { Outcome, Scenario } from '../scenario.js';
import { check } from '../verdict/check.js';

const NOTIFY_TIMEOUT_MS = 20_000;
const ARRIVAL_TIMEOUT_MS = 30_000;

/**
 * Clients replay the whole room when a backup takes the place of the database, which lacks the newest messages. Each client
 * must be notified, whatever it was reading, and must then receive everything. Messages that only the newer files had do not
 * count. The fault is the restoration; recovery is the time until a client is notified.
 */
export const restoredInReplays: Scenario = {
  name: 'restored-in-replays',
  title: 'an older database restored in the middle of replays',
  keepsInstances: true,
  async run(environment, scale) {
    const [clients, stored] = scale === 'full' ? [40, 3000] : [4, 300];
    const instances = await environment.startAll(2);
    const room = await openTestRoom(environment, { instances, subscribers: 0 });
    const before = room.send({ count: stored, inFlight: 32 });
    await before.finish();
    await environment.postgres.halt();
    await environment.postgres.snapshot();
    await environment.postgres.resume();
    const newer = room.send({ count: stored / 10, inFlight: 8 });
    await newer.finish();
    // Watched on both instances: a feed that has seen the newer messages finds that they are gone.
    const live = await Promise.all(
      instances.map(async (instance) => {
        const { liveCursor: cursor, edges } = await page(room.owner, room.id, { last: 1 });
        const operations = await openOperations(instance.webSocketUrl, room.owner.token);
        return watchEvents({ operations, roomId: room.id, cursor, after: edges[0]?.node.seq ?? 0 });
      }),
    );

    const replaying: Watcher[] = [];
    for (let index = 0; index < clients; index += 1) {
      const operations = await openOperations(at(instances, index).webSocketUrl, room.owner.token);
      const options = { operations, roomId: room.id, cursor: room.cursor, after: 0 };
      replaying.push(watchMessages(options), watchEvents(options));
    }
    await environment.postgres.halt('immediate');
    await environment.postgres.restore();
    const restoredAt = performance.now();
    const inReplay = replaying.filter(({ log }) => log.seen.length < stored).length;
    await environment.postgres.resume();

    const all = [...live, ...replaying];
    const notified = await Promise.all(
      all.map((watcher) => watcher.until(() => watcher.resets.length > 0, NOTIFY_TIMEOUT_MS)),
    );
    const unnotified = notified.filter((one) => !one).length;
    if (unnotified > 0) throw new Error(`${unnotified} of ${all.length} clients were never notified.`);

    const after = room.send({ count: 20 });
    await after.finish();
    const rows = await environment.rows(room.name);
    await Promise.all(
      all.map((watcher) =>
        watcher.until(
          () => (watcher.log.seen.at(-1)?.seq ?? watcher.log.after) >= rows.length,
          ARRIVAL_TIMEOUT_MS,
        ),
      ),
    );
    const kept = [...before.sent, ...after.sent];
    return {
      ...check(
        rows,
        kept.flatMap(({ acked }) => acked ?? []),
        all.map(({ log }) => log),
      ),
      sent: kept.length,
      acked: kept.filter(({ acked }) => acked).length,
      recoveryMs: all.map(({ resets }) => at(resets, 0) - restoredAt),
      notes: `${inReplay} of ${replaying.length} clients were replaying; ${newer.sent.length} messages discarded with the newer files`,
    } satisfies Outcome;
  },
};
