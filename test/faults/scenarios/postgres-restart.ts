import type { Scenario } from '../scenario.js';
import { setScene } from '../scene.js';

/** The moments are the orders to restart, so the time that Postgres is away counts. */
function postgresRestarted(mode: 'fast' | 'immediate'): Scenario {
  return {
    name: `postgres-${mode}`,
    title: `Postgres restarted, ${mode}, under load`,
    keepsInstances: true,
    async run(lab, scale) {
      const [screens, restarts, between] = scale === 'full' ? [50, 5, 1000] : [6, 1, 100];
      const instances = await lab.startAll(2);
      const scene = await setScene(lab, { instances, screens });
      const load = scene.send({ inFlight: 16, pauseMs: 5 });
      await Promise.all([scene.live(), load.acked(between)]);

      const moments: number[] = [];
      let away = 0;
      for (let restart = 1; restart <= restarts; restart += 1) {
        const moment = performance.now();
        moments.push(moment);
        await lab.postgres.halt(mode);
        await lab.postgres.resume();
        away = Math.max(away, performance.now() - moment);
        await Promise.all(instances.map((instance) => instance.ready(30_000)));
        await load.acked(load.sent.length + between);
      }
      return scene.conclude({ moments, notes: `away for ${Math.round(away)} ms at most` });
    },
  };
}

export const postgresFast = postgresRestarted('fast');
export const postgresImmediate = postgresRestarted('immediate');
