/** The run's Postgres, reachable both ways. */
export interface ProvidedPostgres {
  /** The folder of its unix socket, as postgres.js takes it in `host`. */
  socketHost: string;
  tcpHost: '127.0.0.1';
  port: number;
  username: string;
}

declare module 'vitest' {
  interface ProvidedContext {
    /**
     * Which of the two ways to run is under test: `embedded` is Postgres through its unix socket and a bus inside
     * the process, `cluster` is Postgres over TCP and Redis. Comes from vitest.config.ts.
     */
    pair: 'embedded' | 'cluster';
    /** From global-setup.ts, as is `redisUrl`: started for this run, gone after it. */
    postgres: ProvidedPostgres;
    redisUrl: string;
  }
}
