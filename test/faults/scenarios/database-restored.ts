import { createRoom, page, send } from '../../helpers/client.js';
import { check } from '../check.js';
import { openOperations } from '../operations.js';
import type { Outcome, Scenario } from '../scenario.js';
import { at, setScene } from '../scene.js';
import { type Watcher, watchEvents, watchMessages } from '../watchers.js';

/** A tick finds it out, and the next ones tell the other instance. */
const TOLD_TIMEOUT_MS = 15_000;
const ARRIVAL_TIMEOUT_MS = 30_000;

/**
 * One room is written to all the time, one until the older copy is put back, one not since the copy was made: the clients of
 * all of them are told, since it is the database that is another one. What was acknowledged between the copy and its return
 * is gone with the files, and counts for nothing; all else must be there, and on every screen that started again. The moment
 * is the return of Postgres; recovery is until a client is told.
 */
export const databaseRestored: Scenario = {
  name: 'database-restored',
  title: 'an older database restored behind running instances',
  keepsInstances: true,
  async run(lab, scale) {
    const [each, between] = scale === 'full' ? [10, 2000] : [1, 60];
    const instances = await lab.startAll(2);
    const scene = await setScene(lab, { instances, screens: 0 });
    const { person } = scene;
    const idle = { written: `${scene.roomName}, written`, quiet: `${scene.roomName}, quiet` };
    const [written, quiet] = [await createRoom(person, idle.written), await createRoom(person, idle.quiet)];
    for (const roomId of [written, quiet]) await send(person, roomId, 'before the copy');
    const load = scene.send({ inFlight: 8, pauseMs: 20 });
    await load.acked(50);

    const watched = new Map<string, Watcher[]>();
    for (const [roomId, name] of [
      [scene.roomId, scene.roomName],
      [written, idle.written],
      [quiet, idle.quiet],
    ] as const) {
      const { liveCursor: cursor, edges } = await page(person, roomId, { last: 1 });
      const watchers: Watcher[] = [];
      for (let index = 0; index < each * instances.length; index += 1) {
        const operations = await openOperations(at(instances, index).webSocketUrl, person.token);
        const options = { operations, roomId, cursor, after: edges[0]?.node.seq ?? 0 };
        watchers.push(watchMessages(options), watchEvents(options));
      }
      watched.set(name, watchers);
    }
    const all = [...watched.values()].flat();
    const allOf = async (
      watchers: readonly Watcher[],
      condition: (watcher: Watcher) => boolean,
      ms: number,
    ) => {
      const found = await Promise.all(watchers.map((watcher) => watcher.until(() => condition(watcher), ms)));
      return found.filter((one) => !one).length;
    };

    await lab.postgres.halt();
    await lab.postgres.snapshot();
    const copied = performance.now();
    await lab.postgres.resume();
    await load.acked(load.sent.length + between);
    const lastWritten = await send(person, written, 'after the copy');
    const unheard = await allOf(
      watched.get(idle.written) ?? [],
      ({ log }) => log.seen.at(-1)?.seq === lastWritten.node.seq,
      ARRIVAL_TIMEOUT_MS,
    );
    if (unheard > 0) throw new Error(`${unheard} screens were not live before the fault.`);
    if (all.some(({ resets }) => resets.length > 0)) throw new Error('A restart alone was told as RESET.');

    await lab.postgres.halt('immediate');
    await lab.postgres.restore();
    const restored = performance.now();
    await lab.postgres.resume();
    const untold = await allOf(all, ({ resets }) => resets.length > 0, TOLD_TIMEOUT_MS);
    if (untold > 0) throw new Error(`${untold} of ${all.length} clients were never told RESET.`);

    await load.acked(load.sent.length + between);
    await load.finish();
    for (const roomId of [scene.roomId, written, quiet]) await send(person, roomId, 'live again');
    const kept = load.sent.filter(({ acked }) => !acked || acked.at < copied || acked.at > restored);
    const outcome = { lost: 0, duplicated: 0, outOfOrder: 0, unseen: 0 };
    for (const [name, watchers] of watched) {
      const rows = await lab.rows(name);
      const isThere = ({ log }: Watcher) => (log.seen.at(-1)?.seq ?? log.after) >= rows.length;
      await allOf(watchers, isThere, ARRIVAL_TIMEOUT_MS);
      const acked = name === scene.roomName ? kept.flatMap((message) => message.acked ?? []) : [];
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
      recoveryMs: all.map(({ resets }) => at(resets, 0) - restored),
      notes: `${all.length} clients told, ${again} of them more than once; ${load.sent.length - kept.length} messages went with the newer files`,
    } satisfies Outcome;
  },
};
