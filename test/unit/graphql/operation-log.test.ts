import { pino } from 'pino';
import { expect, test } from 'vitest';
import { createOperationLog } from '../../../src/graphql/operation-log.js';

test.each([
  ['trace', 1],
  ['debug', 1],
  ['info', 0],
  ['error', 0],
  ['silent', 0],
])('with LOG_LEVEL %s, %i hooks are registered', (level, count) => {
  expect(createOperationLog(pino({ level }))).toHaveLength(count);
});
