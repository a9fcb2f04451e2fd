import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { cpuSeconds, residentBytes } from '../measure.js';
import { openLine } from './line.js';
import { graphqlTransportWs, type Wish } from './protocols.js';

export interface ReplayOptions {
  readonly port: number;
  readonly pid: number;
  readonly token: string;
  readonly roomId: string;
  /** The cursor to begin after, and the `seq` of its message. */
  readonly after: string;
  readonly afterSeq: number;
  readonly count: number;
}

export interface Replay {
  readonly count: number;
  /** CPU of the server per message, in µs. */
  readonly cpuMicros: number;
  readonly seconds: number;
  /** The most that the server had in memory meanwhile, in bytes. */
  readonly peakBytes: number;
  readonly faults: readonly string[];
}

const SAMPLE_MS = 20;
const TIMEOUT_MS = 120_000;

/** One subscriber takes up a history that it was away from. */
export async function replay(options: ReplayOptions): Promise<Replay> {
  const { port, pid, token, roomId, after, afterSeq, count } = options;
  const faults: string[] = [];
  const wish: Wish = { id: randomUUID(), roomId, token, after };
  const start = performance.now();
  const cpu = cpuSeconds(pid);
  let seq = afterSeq;
  let peakBytes = residentBytes(pid);
  let over = false;
  const line = await openLine({
    port,
    path: graphqlTransportWs.path,
    subprotocol: graphqlTransportWs.subprotocol,
    onText(bytes, from, to, { send }) {
      const text = bytes.toString('utf8', from, to);
      const delivered = graphqlTransportWs.parse(text);
      if (!delivered) {
        try {
          const answer = graphqlTransportWs.answer(text, wish);
          if (answer !== null) send(answer);
        } catch (error) {
          faults.push(String(error));
          over = true;
        }
        return;
      }
      if (delivered.seq !== seq + 1 && faults.length < 10)
        faults.push(`message ${delivered.seq} came after ${seq}`);
      seq = delivered.seq;
    },
    onEnd: (reason) => {
      faults.push(reason);
      over = true;
    },
  });
  const hello = graphqlTransportWs.hello(wish);
  if (hello !== null) line.send(hello);
  while (!over && seq < afterSeq + count) {
    if (performance.now() - start > TIMEOUT_MS) faults.push(`Only ${seq - afterSeq} messages came`);
    if (faults.length > 0) break;
    await sleep(SAMPLE_MS);
    peakBytes = Math.max(peakBytes, residentBytes(pid));
  }
  line.destroy();
  return {
    count,
    cpuMicros: ((cpuSeconds(pid) - cpu) * 1e6) / count,
    seconds: (performance.now() - start) / 1000,
    peakBytes,
    faults,
  };
}
