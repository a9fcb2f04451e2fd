import { pino } from 'pino';
import { build as pretty } from 'pino-pretty';
import type { Config } from './config.js';

export type Logger = pino.Logger;

/** JSON lines for machines; for a person at a terminal, lines to read. Secrets are never among the fields. */
export function createLog({ logLevel }: Pick<Config, 'logLevel'>): Logger {
  const options = {
    level: logLevel,
    base: null,
    timestamp: pino.stdTimeFunctions.isoTime,
    serializers: { error: pino.stdSerializers.err },
  };
  return process.stdout.isTTY
    ? pino(options, pretty({ sync: true, translateTime: 'SYS:HH:MM:ss.l' }))
    : pino(options);
}
