import { openTestRoom } from '../clients/test-room.js';
import type { Scenario } from '../scenario.js';

/** The faults are the starts of the restarts, so recovery includes the time that Postgres is unavailable. */
function postgresRestarted(mode: 'fast' | 'immediate'): Scenario {
  return {
    name: `postgres-${mode}`,
    title: `Postgres restarted, ${mode}, under load`,
    keepsInstances: true,
    async run(environment, scale) {
      const [subscribers, restarts, between] = scale === 'full' ? [50, 5, 1000] : [6, 1, 100];
      const instances = await environment.startAll(2);
      const room = await openTestRoom(environment, { instances, subscribers });
      const load = room.send({ inFlight: 16, pauseMs: 5 });
      await Promise.all([room.live(), load.acked(between)]);

      const moments: number[] = [];
      let unavailableMs = 0;
      for (let restart = 1; restart <= restarts; restart += 1) {
        const moment = performance.now();
        moments.push(moment);
        await environment.postgres.halt(mode);
        await environment.postgres.resume();
        unavailableMs = Math.max(unavailableMs, performance.now() - moment);
        await Promise.all(instances.map((instance) => instance.ready(30_000)));
        await load.acked(load.sent.length + between);
      }
      return room.conclude({ moments, notes: `unavailable for at most ${Math.round(unavailableMs)} ms` });
    },
  };
}

export const postgresFast = postgresRestarted('fast');
export const postgresImmediate = postgresRestarted('immediate');
