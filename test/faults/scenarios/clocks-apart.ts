import type { Scenario } from '../scenario.js';
import { setScene } from '../scene.js';

const SHIFTED_CLOCK = new URL('../shifted-clock.mjs', import.meta.url).href;
const FIVE_MINUTES_MS = 300_000;
/** Between two processes of one machine; with the instances' clocks it would be minutes. */
const TOLERANCE_MS = 5000;

/** Nothing breaks: a message's time is the database's, and tokens outlast the difference. */
export const clocksApart: Scenario = {
  name: 'clocks-apart',
  title: 'clocks of the instances five minutes apart, both ways',
  async run(lab, scale) {
    const shifted = (ms: number) =>
      lab.start({ NODE_OPTIONS: `--import=${SHIFTED_CLOCK}`, SHIFT_CLOCK_MS: String(ms) });
    const instances = await Promise.all([shifted(-FIVE_MINUTES_MS), lab.start(), shifted(FIVE_MINUTES_MS)]);
    const [screens, count] = scale === 'full' ? [50, 5000] : [6, 300];
    const scene = await setScene(lab, { instances, screens });
    const begin = Date.now();
    scene.send({ inFlight: 15, count, pauseMs: 20 });
    const outcome = await scene.conclude();
    const end = Date.now();
    const rows = await lab.rows(scene.roomName);
    const off = rows.find(
      ({ createdAt }) => +createdAt < begin - TOLERANCE_MS || +createdAt > end + TOLERANCE_MS,
    );
    if (off) throw new Error(`Message ${off.seq} is of ${off.createdAt.toISOString()}, by a wrong clock.`);
    return outcome;
  },
};
