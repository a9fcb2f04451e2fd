import { IncomingMessage } from 'node:http';
import { Socket } from 'node:net';
import { expect, test } from 'vitest';
import { clientAddress } from '../../../../src/transport/http/address.js';

const DIRECT = '192.0.2.1';

/** A request over a connection from `remoteAddress`; a list stands for a header that came several times. */
function requestFrom(
  remoteAddress: string | undefined,
  forwarded: string | string[] | undefined,
): IncomingMessage {
  const request = new IncomingMessage(
    Object.defineProperty(new Socket(), 'remoteAddress', { value: remoteAddress }),
  );
  if (forwarded !== undefined) request.headers['x-forwarded-for'] = forwarded;
  return request;
}

test.each([
  [0, undefined, DIRECT],
  [0, 'a', DIRECT],
  [0, 'a, b, c', DIRECT],
  [1, undefined, DIRECT],
  [1, '', DIRECT],
  [1, ' , ', DIRECT],
  [1, 'a', 'a'],
  [1, 'a, b', 'b'],
  [1, 'a, b, c', 'c'],
  [1, 'a,b ,  c  ', 'c'],
  [1, 'a, b,', 'b'],
  [1, ['a, b', 'c'], 'c'],
  [1, '2001:db8::1, 2001:db8::2', '2001:db8::2'],
  [2, undefined, DIRECT],
  [2, 'a', 'a'],
  [2, 'a, b', 'a'],
  [2, 'a, b, c', 'b'],
  [2, ['a', 'b', 'c'], 'b'],
  [3, 'a, b, c, d', 'b'],
  [10, 'a, b, c', 'a'],
])('behind %i trusted proxies, X-Forwarded-For %j means %s', (proxies, forwarded, address) => {
  expect(clientAddress(requestFrom(DIRECT, forwarded), proxies)).toBe(address);
});

test('a connection that is already lost has an unknown address', () => {
  expect(clientAddress(requestFrom(undefined, undefined), 0)).toBe('unknown');
  expect(clientAddress(requestFrom(undefined, undefined), 1)).toBe('unknown');
});
