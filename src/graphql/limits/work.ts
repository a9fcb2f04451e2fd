import { GraphQLError } from 'graphql';
import { ServiceUnavailableError } from '../../domain/errors.js';
import type { ErrorCode } from '../errors.js';

/** Limits of what one operation may do. The README lists them. */
export const OPERATION_LIMITS = {
  /** Reads of the database. A loader's batch is one. */
  reads: 150,
  /** Time, in ms, after which no further read is started. */
  durationMs: 10_000,
  /** Size of the answer, in bytes of UTF-8, estimated from above. */
  answerBytes: 4 * 1024 * 1024,
} as const;

/**
 * The reads of one operation. It ends with its first read that is not allowed: the error is the same for all of them, and
 * replaces the result of a query.
 */
export class Work {
  private reads = 0;
  private startedAt = performance.now();
  /** Why the operation has ended early; null as long as it goes on. */
  end: Error | null = null;

  /** @param isGone whether nobody waits for the result any more. */
  constructor(private isGone: () => boolean) {}

  /** Goes on when nobody waits any more: what a mutation does must not depend on that. */
  runToEnd(): void {
    this.isGone = () => false;
  }

  /** Begins the next event of a subscription, which may do as much as the one before. */
  restart(): void {
    this.reads = 0;
    this.startedAt = performance.now();
    this.end = null;
  }

  /** Runs a read of the database, or rejects without running it if the operation has ended. */
  async read<Result>(run: () => Promise<Result>): Promise<Result> {
    this.end ??= this.reasonToEnd();
    if (this.end) throw this.end;
    this.reads += 1;
    return run();
  }

  private reasonToEnd(): Error | null {
    if (this.isGone()) return new ServiceUnavailableError();
    if (this.reads >= OPERATION_LIMITS.reads)
      return limitExceeded(
        `The operation needs more than ${OPERATION_LIMITS.reads} reads of the database: select fewer lists.`,
      );
    if (performance.now() - this.startedAt > OPERATION_LIMITS.durationMs)
      return new ServiceUnavailableError();
    return null;
  }
}

/** @throws GraphQLError `LIMIT_EXCEEDED` if the data may be larger as JSON than an answer may be. */
export function assertAnswerSize(data: unknown): void {
  if (remaining(data, OPERATION_LIMITS.answerBytes) < 0)
    throw limitExceeded(
      `The answer is larger than ${OPERATION_LIMITS.answerBytes / 1024 / 1024} MiB: select fewer fields, or smaller pages.`,
    );
}

/** Subtracts the size of a value from a number of bytes. Stops below 0. */
function remaining(value: unknown, bytes: number): number {
  let left = bytes - 8;
  // A code unit takes at most 3 bytes, unless it is escaped.
  if (typeof value === 'string') return left - 3 * value.length;
  if (typeof value !== 'object' || value === null) return left;
  for (const name in value) {
    if (left < 0) return left;
    left = remaining(Reflect.get(value, name), left - name.length);
  }
  return left;
}

function limitExceeded(message: string): GraphQLError {
  return new GraphQLError(message, { extensions: { code: 'LIMIT_EXCEEDED' satisfies ErrorCode } });
}
