import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { cpuSeconds, residentBytes } from '../machine/usage.js';
import { openConnection } from './connection.js';
import { graphqlTransportWs, type SubscribeRequest } from './protocols.js';

export interface ReplayOptions {
  readonly port: number;
  readonly pid: number;
  readonly token: string;
  readonly roomId: string;
  /** The cursor to start after, and the `seq` of its message. */
  readonly after: string;
  readonly afterSeq: number;
  readonly count: number;
}

export interface Replay {
  readonly count: number;
  /** The server's CPU time per message, in µs. */
  readonly cpuMicros: number;
  readonly seconds: number;
  /** The server's peak resident memory during the replay, in bytes. */
  readonly peakBytes: number;
  readonly faults: readonly string[];
}

const SAMPLE_INTERVAL_MS = 20;
const TIMEOUT_MS = 120_000;

/** Lets one subscriber receive the `count` messages after its cursor. */
export async function replay(options: ReplayOptions): Promise<Replay> {
  const { port, pid, token, roomId, after, afterSeq, count } = options;
  const faults: string[] = [];
  const request: SubscribeRequest = { id: randomUUID(), roomId, token, after };
  const start = performance.now();
  const cpu = cpuSeconds(pid);
  let seq = afterSeq;
  let peakBytes = residentBytes(pid);
  let ended = false;
  const connection = await openConnection({
    port,
    path: graphqlTransportWs.path,
    subprotocol: graphqlTransportWs.subprotocol,
    onText(bytes, from, to, { send }) {
      const text = bytes.toString('utf8', from, to);
      const delivery = graphqlTransportWs.parse(text);
      if (!delivery) {
        try {
          const reply = graphqlTransportWs.reply(text, request);
          if (reply !== null) send(reply);
        } catch (error) {
          faults.push(String(error));
          ended = true;
        }
        return;
      }
      if (delivery.seq !== seq + 1 && faults.length < 10)
        faults.push(`message ${delivery.seq} came after ${seq}`);
      seq = delivery.seq;
    },
    onEnd: (reason) => {
      faults.push(reason);
      ended = true;
    },
  });
  const hello = graphqlTransportWs.hello(request);
  if (hello !== null) connection.send(hello);
  while (!ended && seq < afterSeq + count) {
    if (performance.now() - start > TIMEOUT_MS) faults.push(`Only ${seq - afterSeq} messages arrived`);
    if (faults.length > 0) break;
    await sleep(SAMPLE_INTERVAL_MS);
    peakBytes = Math.max(peakBytes, residentBytes(pid));
  }
  connection.destroy();
  return {
    count,
    cpuMicros: ((cpuSeconds(pid) - cpu) * 1e6) / count,
    seconds: (performance.now() - start) / 1000,
    peakBytes,
    faults,
  };
}
