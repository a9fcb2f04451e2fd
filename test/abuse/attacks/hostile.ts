import { createRoom } from '../../helpers/client.js';
import { runHostile } from '../../helpers/hostile/run-hostile.js';
import type { Attack } from '../attack.js';

const COUNTS = {
  full: { frames: 100_000, requests: 20_000 },
  short: { frames: 2_000, requests: 500 },
} as const;

/** Levels of the log at which nothing may be written because of a client. */
const ERROR_LINE = /^.*"level":(?:50|60|"error"|"fatal").*$/m;

export const hostileBytes: Attack = {
  name: 'hostile-bytes',
  title: 'mutated WebSocket frames and malformed HTTP requests',
  async run({ target, attacker, accounts: [account], scale, seed }) {
    if (!account) throw new Error('There are no accounts.');
    const { frames, requests } = COUNTS[scale];
    const targets = { token: account.token, roomId: await createRoom(account) };
    const { url } = target.instance;
    const logged = target.instance.output().length;
    await runHostile({ url, localAddress: attacker.address, targets, seed, frames, requests });
    const [line] = ERROR_LINE.exec(target.instance.output().slice(logged)) ?? [];
    if (line !== undefined) throw new Error(`Seed ${seed}: the server has logged ${line}`);
    const format = (count: number) => count.toLocaleString('en');
    return `${format(frames)} frames, ${format(requests)} requests, seed ${seed}: every answer was coded`;
  },
};
