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
  [1, '2001:db8::1, 2001:db8:0:1::2', '2001:db8:0:1::/64'],
  [1, '1.2.3.4:5678', '1.2.3.4'],
  [1, '[2001:DB8:1:2:3:4:5:6]:443', '2001:db8:1:2::/64'],
  [1, '[2001:db8:1:2::ffff]', '2001:db8:1:2::/64'],
  [1, '2001:0db8:0001:0002:ffff:ffff:ffff:ffff', '2001:db8:1:2::/64'],
  [1, '2001:db8:1::', '2001:db8:1:0::/64'],
  [1, '::1', '0:0:0:0::/64'],
  [1, '::ffff:192.0.2.7', '192.0.2.7'],
  [1, '[::ffff:192.0.2.7]:80', '192.0.2.7'],
  [1, 'fe80::1%eth0', 'fe80:0:0:0::/64'],
  [1, '_hidden:80', '_hidden:80'],
  [1, '[not an address]:80', '[not an address]:80'],
  [1, 'x'.repeat(1000), 'x'.repeat(64)],
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

test('all addresses of a /64 are one client, also without proxies', () => {
  const addresses = Array.from({ length: 300 }, (_, index) => `2001:db8:1:2:${index.toString(16)}::${index}`);
  const of = (proxies: number) =>
    addresses.map((address) =>
      clientAddress(proxies === 0 ? requestFrom(address, undefined) : requestFrom(DIRECT, address), proxies),
    );

  expect(new Set([...of(0), ...of(1)])).toEqual(new Set(['2001:db8:1:2::/64']));
  expect(clientAddress(requestFrom('::ffff:127.0.0.1', undefined), 0)).toBe('127.0.0.1');
});

test('a connection that is already lost has an unknown address', () => {
  expect(clientAddress(requestFrom(undefined, undefined), 0)).toBe('unknown');
  expect(clientAddress(requestFrom(undefined, undefined), 1)).toBe('unknown');
});

test.each([
  [1, 'for=192.0.2.60;proto=http;by=203.0.113.43', '192.0.2.60'],
  [1, 'For="[2001:db8:cafe::17]:4711"', '2001:db8:cafe:0::/64'],
  [1, 'for=192.0.2.43, for=198.51.100.17:8080', '198.51.100.17'],
  [2, 'for=192.0.2.43, for=198.51.100.17', '192.0.2.43'],
  [1, 'proto=https;host=x', DIRECT],
  [1, 'for=_hidden', '_hidden'],
  [0, 'for=192.0.2.60', DIRECT],
])('with %i proxies, Forwarded: %s is %s', (proxies, forwarded, expected) => {
  const request = requestFrom(DIRECT, undefined);
  request.headers.forwarded = forwarded;
  expect(clientAddress(request, proxies)).toBe(expected);
});

test('X-Forwarded-For goes before Forwarded', () => {
  const request = requestFrom(DIRECT, '192.0.2.9');
  request.headers.forwarded = 'for=192.0.2.60';
  expect(clientAddress(request, 1)).toBe('192.0.2.9');
});
