import { setTimeout as sleep } from 'node:timers/promises';
import type { Lab } from './lab.js';
import type { Replay } from './load/replay.js';
import type { SendsOptions } from './load/sends.js';
import type { Window } from './load/windows.js';
import { residentBytes } from './measure.js';
import type { SendsPart } from './parts.js';
import { describe, withServer } from './scenes.js';
import { PARLEY } from './servers.js';

/** What is measured of Parley alone: nothing else does the same. */

const WARM = 100;
/** V8 gives memory back to the system some time after a collection, not in it. */
const REST_MS = 5000;

export interface Idle {
  readonly subscriptions: number;
  /** Memory that one more idle subscription takes, in bytes. */
  readonly bytesEach: number;
  readonly before: number;
  readonly after: number;
}

/** What a subscription costs that only stands there: a socket, its handshake, the operation. */
export function measureIdle(lab: Lab): Promise<Idle> {
  return withServer(lab, PARLEY, async (server, load) => {
    const { stage } = lab;
    const crowd = {
      port: server.port,
      protocol: PARLEY.protocol,
      tokens: stage.tokens,
      rooms: stage.rooms.slice(0, 1),
      sender: stage.sender,
      concurrency: 10,
    };
    const timing = { pid: server.pid, cores: lab.cores, warmSeconds: 0, seconds: lab.scale.warm };
    // Few, but busy: what is measured is not to contain the code, nor the memory of traffic.
    await load.openCrowd({ ...crowd, readersPerRoom: WARM });
    await load.saturated({ outstanding: 4, timing });
    await load.closeCrowd();
    const rest = async (): Promise<number> => {
      await sleep(REST_MS);
      await server.collectGarbage();
      await sleep(REST_MS);
      return residentBytes(server.pid);
    };
    const before = await rest();
    const subscriptions = lab.scale.idle;
    await load.openCrowd({ ...crowd, readersPerRoom: subscriptions });
    const after = await rest();
    const idle = { subscriptions, bytesEach: (after - before) / subscriptions, before, after };
    lab.say(
      `idle: ${subscriptions} subscriptions, ${before} -> ${after} bytes, ${idle.bytesEach.toFixed(0)} each`,
    );
    return idle;
  });
}

export const SENDERS = 32;

const SENDS: Readonly<Record<SendsPart, { transport: SendsOptions['transport']; rooms: number }>> = {
  'sends-websocket': { transport: 'websocket', rooms: 1 },
  'sends-http': { transport: 'http', rooms: 1 },
  'sends-rooms': { transport: 'websocket', rooms: SENDERS },
};
// The keys of a literal are what its type says.
export const SENDS_PARTS = Object.keys(SENDS) as readonly SendsPart[];

/** Messages sent to Parley itself, whose every one is stored, published and acknowledged. */
export function measureSends(lab: Lab, part: SendsPart): Promise<Window> {
  const { stage, cores, scale, say } = lab;
  const { transport, rooms } = SENDS[part];
  return withServer(lab, PARLEY, async ({ pid, port }, load) => {
    const window = await load.sendMessages({
      port,
      token: stage.sender.token,
      rooms: stage.rooms.slice(0, rooms),
      transport,
      connections: SENDERS,
      timing: { pid, cores, warmSeconds: scale.sendsWarm, seconds: scale.sends },
    });
    say(`${part}: ${describe(window)}`);
    return window;
  });
}

export interface Replays {
  readonly few: Replay;
  readonly many: Replay;
}

/** A long history is replayed, after a short one on the same server: the first one also compiles the code. */
export function measureReplays(lab: Lab): Promise<Replays> {
  return withServer(lab, PARLEY, async (server, load) => {
    const token = lab.stage.tokens[0] ?? '';
    const { few, many } = lab.scale.replay;
    const { roomId, after } = await lab.stage.history(many + 1);
    const options = { port: server.port, pid: server.pid, token, roomId, after, afterSeq: 1 };
    const play = async (count: number): Promise<Replay> => {
      const replay = await load.replay({ ...options, count });
      const { cpuMicros, seconds, peakBytes, faults } = replay;
      const wrong = faults.length > 0 ? `; WRONG: ${faults.join('; ')}` : '';
      lab.say(
        `replay of ${count}: ${cpuMicros.toFixed(1)} µs CPU each, ${seconds.toFixed(1)} s, at most ${peakBytes} bytes${wrong}`,
      );
      return replay;
    };
    await play(few);
    return { few: await play(few), many: await play(many) };
  });
}
