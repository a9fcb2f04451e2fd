import { pino } from 'pino';
import { build as pretty } from 'pino-pretty';
import type { Config } from './config/index.js';

export type Logger = pino.Logger;

/** Creates the log: readable lines if stdout is a terminal, otherwise JSON lines. Callers never log secrets. */
export function createLog({ logLevel }: Pick<Config, 'logLevel'>): Logger {
  const options = {
    level: logLevel,
    base: null,
    formatters: { level: (label: string) => ({ level: label }) },
    timestamp: pino.stdTimeFunctions.isoTime,
    serializers: { error: pino.stdSerializers.err },
  };
  return process.stdout.isTTY
    ? pino(options, pretty({ sync: true, translateTime: 'SYS:HH:MM:ss.l' }))
    : pino(options);
}
