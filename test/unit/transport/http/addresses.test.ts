import type { IncomingMessage } from 'node:http';
import { expect, test } from 'vitest';
import { createAddresses } from '../../../../src/transport/http/address.js';

function setUp(trustedProxies: number) {
  const warnings: string[] = [];
  const log = {
    debug() {},
    info() {},
    warn: (_: object, text: string) => void warnings.push(text),
    error() {},
  };
  const addresses = createAddresses(trustedProxies, log);
  const request = (headers: Record<string, string>) =>
    // All that is read of a request.
    ({ headers, socket: { remoteAddress: '192.0.2.1' } }) as unknown as IncomingMessage;
  return {
    addresses,
    warnings,
    of: (headers: Record<string, string> = {}) => addresses.of(request(headers)),
  };
}

test('a forwarded address without a trusted proxy is not used, and warned of once', () => {
  const { addresses, warnings, of } = setUp(0);
  expect(of()).toBe('192.0.2.1');
  expect(addresses.areUnknown()).toBe(false);
  for (let count = 0; count < 3; count += 1)
    expect(of({ 'x-forwarded-for': '203.0.113.9' })).toBe('192.0.2.1');
  expect(addresses.areUnknown()).toBe(true);
  expect(warnings).toEqual([expect.stringContaining('set it to the number of proxies')]);
});

test('behind trusted proxies, a connection has no address of its own', () => {
  const { addresses, warnings, of } = setUp(1);
  expect(of({ 'x-forwarded-for': '203.0.113.9' })).toBe('203.0.113.9');
  expect(addresses.ofPeer('192.0.2.1')).toBeNull();
  expect(addresses.areUnknown()).toBe(false);
  expect(warnings).toEqual([]);
  expect(setUp(0).addresses.ofPeer('::ffff:192.0.2.1')).toBe('192.0.2.1');
});
