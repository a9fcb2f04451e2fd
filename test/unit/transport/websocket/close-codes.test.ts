import { expect, test } from 'vitest';
import { CLOSE } from '../../../../src/transport/websocket/close-codes.js';

test.each(Object.entries(CLOSE))('the reason of %s fits into a close frame', (_name, { code, reason }) => {
  // RFC 6455, section 5.5: a control frame carries at most 125 bytes, two of which are the code.
  expect(Buffer.byteLength(reason)).toBeLessThanOrEqual(123);
  expect(reason).not.toBe('');
  expect(code).toBeGreaterThanOrEqual(1000);
});
