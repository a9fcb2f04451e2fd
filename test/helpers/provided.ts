/** The run's Postgres, reachable through its Unix socket and over TCP. */
export interface ProvidedPostgres {
  /** The folder of its Unix socket, for the option `host` of postgres.js. */
  socketHost: string;
  tcpHost: '127.0.0.1';
  port: number;
  username: string;
}

declare module 'vitest' {
  interface ProvidedContext {
    /**
     * The pair of database and bus under test: `embedded` is Postgres through its Unix socket and a bus inside the process,
     * `cluster` is Postgres over TCP and Redis. Set by vitest.config.ts.
     */
    pair: 'embedded' | 'cluster';
    /** The run's own Postgres and Redis, from global-setup.ts. */
    postgres: ProvidedPostgres;
    redisUrl: string;
  }
}
