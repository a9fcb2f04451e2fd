import type { PostgresHost, TargetSessionAttributes } from '../../lib/postgres-url.js';

/** How long a choice is used without asking again, in ms: the connections of a pool are opened together. */
const MAX_AGE_MS = 1_000;

/**
 * Creates a function that returns the hosts with the wanted server (libpq's `target_session_attrs`). Every new connection
 * asks again, since another server may have been promoted. The driver's own choice never gives up if all servers fail.
 */
export function createHostChoice(
  hosts: readonly PostgresHost[],
  wanted: TargetSessionAttributes,
  isStandby: (host: PostgresHost) => Promise<boolean>,
): () => Promise<readonly PostgresHost[]> {
  let choice: Promise<readonly PostgresHost[]> | null = null;
  let chosenAt = 0;

  async function choose(): Promise<readonly PostgresHost[]> {
    const found = await Promise.allSettled(hosts.map(isStandby));
    const [primaries, standbys] = [false, true].map((standby) =>
      hosts.filter((_, index) => {
        const result = found[index];
        return result?.status === 'fulfilled' && result.value === standby;
      }),
    ) as [PostgresHost[], PostgresHost[]];
    const chosen = {
      'read-write': primaries,
      primary: primaries,
      'read-only': standbys,
      standby: standbys,
      'prefer-standby': [...standbys, ...primaries],
    }[wanted];
    if (chosen.length > 0) return chosen;
    const failure = found.find((result) => result.status === 'rejected');
    throw failure?.reason ?? noServer(wanted);
  }

  return () => {
    if (choice === null || performance.now() - chosenAt > MAX_AGE_MS) {
      chosenAt = performance.now();
      choice = choose();
    }
    return choice;
  };
}

/** The same code as for a server that does not accept connections: a promotion may follow. */
function noServer(wanted: TargetSessionAttributes): Error {
  return Object.assign(new Error(`None of the servers is ${wanted}.`), { code: 'ECONNREFUSED' });
}
