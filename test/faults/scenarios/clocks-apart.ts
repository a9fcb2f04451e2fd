import { request } from '../../helpers/client.js';
import type { Scenario } from '../scenario.js';
import { at, setScene } from '../scene.js';

const SHIFTED_CLOCK = new URL('../shifted-clock.mjs', import.meta.url).href;
const FIVE_MINUTES_MS = 300_000;
/** What may lie between asking and answering; a wrong clock is off by minutes. */
const TOLERANCE_MS = 10_000;

/** Nothing breaks: a message's time is the database's, and tokens outlast the difference. */
export const clocksApart: Scenario = {
  name: 'clocks-apart',
  title: 'clocks of the instances five minutes apart, both ways',
  async run(lab, scale) {
    const shifted = (ms: number) =>
      lab.start({ NODE_OPTIONS: `--import=${SHIFTED_CLOCK}`, SHIFT_CLOCK_MS: String(ms) });
    const shifts =
      scale === 'full' ? [-FIVE_MINUTES_MS, 0, FIVE_MINUTES_MS] : [-FIVE_MINUTES_MS, FIVE_MINUTES_MS];
    const instances = await Promise.all(shifts.map(shifted));
    for (const [index, shift] of shifts.entries()) await assertShift(at(instances, index).url, shift);
    const [screens, count] = scale === 'full' ? [50, 5000] : [4, 100];
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

/** By the instance's own clock, from what it says about a token's end, twice. */
async function assertShift(url: string, shift: number): Promise<void> {
  const { data } = await request<{
    signUp: { accessTokenExpiresAt: string; accessTokenExpiresInMs: number };
  }>(
    url,
    `mutation ($username: String!) {
      signUp(input: { username: $username, password: "correct horse battery" }) {
        ... on AuthPayload { accessTokenExpiresAt accessTokenExpiresInMs }
      }
    }`,
    { username: `clock${shift + FIVE_MINUTES_MS}` },
  );
  if (!data) throw new Error('Nobody could sign up.');
  const { accessTokenExpiresAt, accessTokenExpiresInMs } = data.signUp;
  const off = Date.parse(accessTokenExpiresAt) - accessTokenExpiresInMs - Date.now();
  if (!(Math.abs(off - shift) < TOLERANCE_MS))
    throw new Error(`The clock is off by ${off} ms, not ${shift}.`);
}
