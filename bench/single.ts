import { setTimeout as sleep } from 'node:timers/promises';
import type { Lab } from './lab.js';
import { startLoad } from './load/process.js';
import type { Replay } from './load/replay.js';
import type { SendsOptions } from './load/sends.js';
import type { Window } from './load/windows.js';
import { residentBytes } from './measure.js';
import { describe } from './scenes.js';
import { PARLEY, type Server, startServer } from './servers.js';

/** What is measured of Parley alone: nothing else does the same. */

type Load = ReturnType<typeof startLoad>;

async function withParley<Result>(
  lab: Lab,
  use: (server: Server, load: Load) => Promise<Result>,
): Promise<Result> {
  const server = await startServer(PARLEY, lab);
  const load = startLoad(lab.cores?.load ?? null);
  try {
    return await use(server, load);
  } finally {
    load.stop();
    await server.stop();
  }
}

export const IDLE = 5000;
const WARM = 100;
const REST_MS = 2000;

export interface Idle {
  /** Memory that one more idle subscription takes, in bytes. */
  readonly bytesEach: number;
  readonly before: number;
  readonly after: number;
}

/** What a subscription costs that only stands there: a socket, its handshake, the operation. */
export function measureIdle(lab: Lab): Promise<Idle> {
  return withParley(lab, async (server, load) => {
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
      await sleep(REST_MS / 4);
      return residentBytes(server.pid);
    };
    const before = await rest();
    await load.openCrowd({ ...crowd, readersPerRoom: IDLE });
    const after = await rest();
    const idle = { bytesEach: (after - before) / IDLE, before, after };
    lab.say(`idle: ${IDLE} subscriptions, ${before} -> ${after} bytes, ${idle.bytesEach.toFixed(0)} each`);
    return idle;
  });
}

export const SENDERS = 32;

/** Messages sent to Parley itself, whose every one is stored, published and acknowledged. */
export function measureSends(lab: Lab, transport: SendsOptions['transport'], rooms: number): Promise<Window> {
  return withParley(lab, async (server, load) => {
    const window = await load.sendMessages({
      port: server.port,
      token: lab.stage.sender.token,
      rooms: lab.stage.rooms.slice(0, rooms),
      transport,
      connections: SENDERS,
      timing: {
        pid: server.pid,
        cores: lab.cores,
        warmSeconds: lab.scale.warm * 2,
        seconds: lab.scale.sends,
      },
    });
    lab.say(`sendMessage, ${transport}, ${rooms} rooms: ${describe(window)}`);
    return window;
  });
}

export interface Replays {
  readonly few: Replay;
  readonly many: Replay;
}

export const FEW = 10_000;
export const MANY = 100_000;

/** A long history is replayed, after a short one on the same server: the first one also compiles the code. */
export function measureReplays(lab: Lab): Promise<Replays> {
  return withParley(lab, async (server, load) => {
    const token = lab.stage.tokens[0] ?? '';
    const { roomId, after } = await lab.stage.history(MANY + 1);
    const options = { port: server.port, pid: server.pid, token, roomId, after, afterSeq: 1 };
    await load.replay({ ...options, count: FEW });
    const few = await load.replay({ ...options, count: FEW });
    const many = await load.replay({ ...options, count: MANY });
    for (const [count, { cpuMicros, seconds, peakBytes, faults }] of [
      [FEW, few],
      [MANY, many],
    ] as const)
      lab.say(
        `replay of ${count}: ${cpuMicros.toFixed(1)} µs CPU each, ${seconds.toFixed(1)} s, at most ${peakBytes} bytes${faults.length > 0 ? `; WRONG: ${faults.join('; ')}` : ''}`,
      );
    return { few, many };
  });
}
