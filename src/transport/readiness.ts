import type { Bus, BusCounters } from '../domain/bus.js';

/** What `/ready` says. */
export interface Readiness {
  /**
   * - `ready`: everything works.
   * - `degraded`: clients are served, but something works worse than it should: see `checks`.
   * - `not ready`: Postgres is unavailable, or the instance is starting.
   * - `stopping`: the instance accepts no new clients.
   */
  readonly status: 'ready' | 'degraded' | 'not ready' | 'stopping';
  readonly checks: Readonly<Record<'database' | 'bus' | 'rateLimits' | 'migrations', boolean>>;
  /** Failures that the bus has recovered from since the start of the process; null until it is connected. */
  readonly bus: Readonly<BusCounters> | null;
}

/** The parts whose state is reported. They exist once the migrations have run. */
export interface ReadinessParts {
  readonly bus: Bus;
  /** Rejects if the database does not answer. */
  readonly ping: () => Promise<void>;
  readonly limits: { isShared(): boolean };
}

/**
 * Creates the report of an instance. Once it was ready, only the database and a stop make it not ready: without Redis, events
 * reach other instances up to a second late, and if that took instances out of service, it would take all of them.
 */
export function createReadiness(stopping: AbortSignal) {
  let parts: ReadinessParts | null = null;
  let wasReady = false;

  function statusOf(checks: Readiness['checks']): Readiness['status'] {
    if (stopping.aborted) return 'stopping';
    if (Object.values(checks).every(Boolean)) return 'ready';
    return wasReady && checks.database ? 'degraded' : 'not ready';
  }

  return {
    serve(serving: ReadinessParts): void {
      parts = serving;
    },
    async read(): Promise<Readiness> {
      const database = parts === null ? false : await parts.ping().then(yes, no);
      const checks = {
        database,
        bus: parts?.bus.isReady() ?? false,
        rateLimits: parts?.limits.isShared() ?? false,
        migrations: parts !== null,
      };
      const status = statusOf(checks);
      if (status === 'ready') wasReady = true;
      return { status, checks, bus: parts?.bus.counters ?? null };
    },
  };
}

const yes = (): boolean => true;
const no = (): boolean => false;
