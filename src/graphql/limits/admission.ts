import { RateLimitedError, ServiceUnavailableError } from '../../domain/errors.js';
import type { RateLimiter } from '../../domain/ports.js';
import type { Authentication } from '../../domain/user.js';
import { type Exhausted, type Holder, Share, type ShareLimits } from '../../lib/share.js';

/** The caller of an operation: the outcome of checking its token, and its IP address. */
export interface Client {
  readonly authentication: Authentication;
  readonly address: string;
  /** The id of its HTTP request, or of its WebSocket, in the log. */
  readonly requestId: string;
}

/** Counts what clients have in progress, up to their share. */
export interface Gate {
  /** @throws RateLimitedError if the client has its share; ServiceUnavailableError if all clients together do. */
  enter(client: Client): void;
  /** To be called once for each successful `enter`, with the same client. */
  leave(client: Client): void;
  /** Runs a task between the two. @throws as `enter` does; otherwise the task's own error. */
  during<Result>(client: Client, task: () => Promise<Result>): Promise<Result>;
  /** How many are in progress. */
  readonly size: number;
}

/** Keeps each client's operations within its share of the server, whatever their transport. */
export interface Admission {
  /**
   * To be called for every operation, before its document is parsed.
   *
   * @param characters length of the document.
   * @throws RateLimitedError if the client has sent too much.
   */
  admit(client: Client, characters: number): Promise<void>;
  /**
   * Counts the cost of an operation, before it runs.
   *
   * @throws RateLimitedError if the client's operations have cost too much.
   */
  charge(client: Client, cost: number): Promise<void>;
  /** Queries and mutations in progress. */
  readonly operations: Gate;
  readonly subscriptions: Gate;
}

export interface AdmissionOptions {
  readonly limits: RateLimiter;
  readonly maxOperations: ShareLimits;
  readonly maxSubscriptions: ShareLimits;
  /** Whether addresses say nothing about those who are signed in, because they are those of a proxy. */
  readonly ignoresAddresses: () => boolean;
}

/** What each operation of a user costs at least: it is counted before the document is parsed. */
const MIN_COST = 10;
/** Characters of a document that cost 1, since parsing takes time even if the document is rejected then. */
const CHARACTERS_PER_POINT = 64;
/** Characters of a document that count as another operation, of a client that is not signed in. */
const CHARACTERS_PER_OPERATION = 4096;
/** When a client that has its share in progress may try again, in ms. */
const RETRY_AFTER_MS = 1000;

export function createAdmission(options: AdmissionOptions): Admission {
  const { limits, maxOperations, maxSubscriptions, ignoresAddresses } = options;
  return {
    admit(client, characters) {
      const { userId, address } = holderOf(client);
      return userId === null
        ? limits.consume('anonymousOperation', address, 1 + Math.floor(characters / CHARACTERS_PER_OPERATION))
        : limits.consume('operationCost', userId, MIN_COST + Math.floor(characters / CHARACTERS_PER_POINT));
    },
    async charge(client, cost) {
      const { userId } = holderOf(client);
      if (userId !== null) await limits.consume('operationCost', userId, Math.max(0, cost - MIN_COST));
    },
    operations: createGate('operations in progress', new Share(maxOperations, ignoresAddresses)),
    subscriptions: createGate('subscriptions', new Share(maxSubscriptions, ignoresAddresses)),
  };
}

function createGate(what: string, share: Share): Gate {
  function enter(holder: Holder): void {
    const exhausted = share.take(holder);
    if (exhausted === 'instance') throw new ServiceUnavailableError();
    if (exhausted)
      throw new RateLimitedError(
        RETRY_AFTER_MS,
        `Too many ${what} of ${NAMES[exhausted]}: at most ${share.limits[exhausted]} are allowed.`,
      );
  }

  return {
    enter: (client) => enter(holderOf(client)),
    leave: (client) => share.release(holderOf(client)),
    get size() {
      return share.size;
    },
    async during(client, task) {
      // Once, because a mutation may sign the client in.
      const holder = holderOf(client);
      enter(holder);
      try {
        return await task();
      } finally {
        share.release(holder);
      }
    },
  };
}

const NAMES: Readonly<Record<Exhausted, string>> = {
  instance: 'all clients',
  user: 'this user',
  address: 'this address',
  anonymous: 'clients at this address that are not signed in',
};

/** For a client whose connection is one too many. */
export function tooManyConnections(exhausted: Exhausted): RateLimitedError {
  return new RateLimitedError(RETRY_AFTER_MS, `Too many connections of ${NAMES[exhausted]}: close others.`);
}

export function holderOf({ authentication, address }: Client): Holder {
  return { userId: authentication.kind === 'viewer' ? authentication.viewer.userId : null, address };
}
