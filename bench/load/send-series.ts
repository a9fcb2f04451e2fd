import { textOf } from './room-check.js';
import { openSender } from './sender.js';

export interface SeriesOptions {
  readonly port: number;
  readonly token: string;
  readonly roomId: string;
  readonly count: number;
  /** Messages at the beginning and at the end that are compared. */
  readonly compared: number;
}

export interface Series {
  /** The time per message from sending to acknowledgement, in ms, at the beginning and at the end. */
  readonly first: number;
  readonly last: number;
  readonly faults: readonly string[];
}

/** Sends messages to one room, each when the previous one is acknowledged. */
export async function sendSeries({ port, token, roomId, count, compared }: SeriesOptions): Promise<Series> {
  const faults: string[] = [];
  const times: number[] = [];
  await new Promise<void>((resolve) => {
    const onFailure = (fault: string): void => {
      faults.push(fault);
      resolve();
    };
    void openSender({ port, token, concurrency: 1, onFailure }).then((sender) => {
      const next = (): void => {
        const start = performance.now();
        sender.send(roomId, textOf(start), () => {
          times.push(performance.now() - start);
          if (times.length < count) next();
          else resolve();
        });
      };
      next();
      return sender;
    }, onFailure);
  });
  const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;
  return { first: mean(times.slice(0, compared)), last: mean(times.slice(-compared)), faults };
}
