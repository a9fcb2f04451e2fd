import type { Log } from '../domain/ports.js';
import type { PipelineHooks } from './hooks.js';

/** A log that can say whether a level is written. */
export interface LeveledLog extends Log {
  isLevelEnabled(level: string): boolean;
}

/** A GraphQL name. The `operationName` of a rejected operation may be any text, a secret by mistake, for example. */
const NAME = /^[_A-Za-z]\w{0,99}$/;

/**
 * Returns hooks that log each finished operation at level `debug`, without its document, its variables and its result; none
 * if that level is not written, since without any hook nothing is allocated for an operation.
 */
export function createOperationLog(log: LeveledLog): readonly PipelineHooks[] {
  if (!log.isLevelEnabled('debug')) return [];
  return [
    {
      operationFinished({ name, kind, requestId }, { errors, durationMs }) {
        log.debug(
          {
            operation: name !== null && NAME.test(name) ? name : null,
            kind,
            requestId,
            durationMs: Math.round(durationMs * 10) / 10,
            errorCodes: errors.map(({ extensions }) => extensions.code),
          },
          'Operation finished',
        );
      },
    },
  ];
}
