import { request } from '../../helpers/client.js';
import { at, openTestRoom } from '../clients/test-room.js';
import type { Scenario } from '../scenario.js';

const SHIFTED_CLOCK = new URL('../environment/shifted-clock.mjs', import.meta.url).href;
const FIVE_MINUTES_MS = 300_000;
/** Allows for the time of a request; a wrong clock is off by minutes. */
const TOLERANCE_MS = 10_000;

/** Without a fault: messages get the time of the database, and tokens stay valid despite the difference. */
export const clocksApart: Scenario = {
  name: 'clocks-apart',
  title: 'clocks of the instances five minutes apart, both ways',
  async run(environment, scale) {
    const shifted = (ms: number) =>
      environment.start({ NODE_OPTIONS: `--import=${SHIFTED_CLOCK}`, SHIFT_CLOCK_MS: String(ms) });
    const shifts =
      scale === 'full' ? [-FIVE_MINUTES_MS, 0, FIVE_MINUTES_MS] : [-FIVE_MINUTES_MS, FIVE_MINUTES_MS];
    const instances = await Promise.all(shifts.map(shifted));
    for (const [index, shift] of shifts.entries()) await assertShift(at(instances, index).url, shift);
    const [subscribers, count] = scale === 'full' ? [50, 5000] : [4, 100];
    const room = await openTestRoom(environment, { instances, subscribers });
    const begin = Date.now();
    room.send({ inFlight: 15, count, pauseMs: 20 });
    const outcome = await room.conclude();
    const end = Date.now();
    const rows = await environment.rows(room.name);
    const off = rows.find(
      ({ createdAt }) => +createdAt < begin - TOLERANCE_MS || +createdAt > end + TOLERANCE_MS,
    );
    if (off)
      throw new Error(`Message ${off.seq} has the time ${off.createdAt.toISOString()} of a wrong clock.`);
    return outcome;
  },
};

/** Computes the instance's clock from the absolute and the relative expiry of a token. */
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
  if (!data) throw new Error('The sign-up failed.');
  const { accessTokenExpiresAt, accessTokenExpiresInMs } = data.signUp;
  const off = Date.parse(accessTokenExpiresAt) - accessTokenExpiresInMs - Date.now();
  if (!(Math.abs(off - shift) < TOLERANCE_MS))
    throw new Error(`The clock is off by ${off} ms, not ${shift}.`);
}
