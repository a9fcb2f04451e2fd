import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';
import type { PipelineHooks } from '../graphql/hooks.js';
import { createNames } from './names.js';
import { LEVELS, type Level, TOTALS, type Total } from './sources.js';

/** What Prometheus collects. */
export interface Metrics {
  /** Counts operations, errors and deliveries. */
  readonly hooks: PipelineHooks;
  /** Registers where values come from. They are read whenever somebody asks for the metrics. */
  observe(sources: Sources): void;
  /** All metrics in Prometheus' text format. */
  render(): Promise<{ readonly type: string; readonly text: string }>;
}

/** What the parts of the server know anyway. */
export interface Sources {
  readonly levels: Readonly<Partial<Record<Level, () => number>>>;
  readonly totals: Readonly<Partial<Record<Total, () => Readonly<Record<string, number>>>>>;
}

/** Upper ends of histograms, in seconds. */
const DURATIONS_S = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

/** Creates the metrics of this process, in a registry of their own. The names are documented in docs/operations.md. */
export function createMetrics(): Metrics {
  const registry = new Registry();
  const registers = [registry];
  collectDefaultMetrics({ register: registry });
  const operations = new Counter({
    name: 'parley_operations_total',
    help: 'Finished operations, by kind and name. Names beyond the first 100 count as "other".',
    labelNames: ['kind', 'name'],
    registers,
  });
  const durations = new Histogram({
    name: 'parley_operation_duration_seconds',
    help: 'Time from the start to the result of queries and mutations.',
    labelNames: ['kind'],
    buckets: DURATIONS_S,
    registers,
  });
  const errors = new Counter({
    name: 'parley_errors_total',
    help: 'Errors that clients received, by their code.',
    labelNames: ['code'],
    registers,
  });
  const deliveries = new Counter({
    name: 'parley_deliveries_total',
    help: 'Events written to subscribers, each counted once per subscriber.',
    registers,
  });
  const bytes = new Counter({
    name: 'parley_delivered_bytes_total',
    help: 'Bytes of the payloads of deliveries, without framing.',
    registers,
  });
  const lag = new Histogram({
    name: 'parley_delivery_lag_seconds',
    help: 'Time from the commit of a live event to its delivery, once per group of subscribers, by the clocks of database and server.',
    buckets: DURATIONS_S,
    registers,
  });
  const nameOf = createNames();

  return {
    hooks: {
      operationFinished({ kind, name, document }, { errors: found, durationMs }) {
        // The name of a rejected document is any text of the client's.
        operations.inc({ kind: kind ?? 'rejected', name: nameOf(document === null ? null : name) });
        if (kind === 'query' || kind === 'mutation') durations.observe({ kind }, durationMs / 1000);
        for (const { extensions } of found) errors.inc({ code: String(extensions.code) });
      },
      eventDelivered({ subscribers, bytes: size, lagMs }) {
        deliveries.inc(subscribers);
        bytes.inc(subscribers * size);
        if (lagMs !== null) lag.observe(lagMs / 1000);
      },
    },
    observe({ levels, totals }) {
      for (const [level, read] of Object.entries(levels) as [Level, () => number][])
        new Gauge({
          ...LEVELS[level],
          registers,
          collect() {
            this.set(read());
          },
        });
      for (const [total, read] of Object.entries(totals) as [
        Total,
        () => Readonly<Record<string, number>>,
      ][]) {
        const { label, ...description } = TOTALS[total];
        new Counter({
          ...description,
          labelNames: [label],
          registers,
          collect() {
            this.reset();
            for (const [value, count] of Object.entries(read())) this.inc({ [label]: value }, count);
          },
        });
      }
    },
    async render() {
      return { type: registry.contentType, text: await registry.metrics() };
    },
  };
}
