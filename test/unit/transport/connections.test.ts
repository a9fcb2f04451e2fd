import { PassThrough } from 'node:stream';
import { expect, test } from 'vitest';
import { type CountedConnection, createConnections } from '../../../src/transport/connections.js';

const LIMITS = { instance: 8, address: 4, anonymous: 2, user: 2 };

function setUp() {
  const connections = createConnections(LIMITS, () => false);
  const evicted: string[] = [];
  return {
    connections,
    evicted,
    open(name: string, address = 'a') {
      const connection: CountedConnection = { holder: null, evict: () => void evicted.push(name) };
      return { connection, isOpen: connections.open(connection, address) };
    },
  };
}

test('beyond the share of an address, the oldest connection without a token is closed for a new one', () => {
  const { connections, evicted, open } = setUp();
  const { connection } = open('first');
  open('second');
  open('elsewhere', 'b');
  expect(connections.signIn(connection, 'ada')).toBeNull();
  open('third');
  expect(evicted).toEqual([]);
  open('fourth');
  expect(evicted).toEqual(['second']);
});

test('a user has a share of connections, and each counts once', () => {
  const { connections, open } = setUp();
  const [first, second, third] = ['1', '2', '3'].map((name) => open(name, name).connection);
  if (!first || !second || !third) throw new Error('Three were opened.');
  expect(connections.signIn(first, 'ada')).toBeNull();
  expect(connections.signIn(first, 'ada')).toBeNull();
  expect(connections.signIn(second, 'ada')).toBeNull();
  expect(connections.signIn(third, 'ada')).toBe('user');
  connections.close(first);
  connections.close(first);
  expect(connections.signIn(third, 'ada')).toBeNull();
});

test('a full instance closes a connection without a token at the address with the most, and otherwise refuses', () => {
  const { connections, evicted, open } = setUp();
  for (const name of ['1', '2', '3', '4', '5', '6'])
    connections.signIn(open(name, name).connection, `user ${name}`);
  open('b1', 'b');
  open('c1', 'c');
  const { connection, isOpen } = open('d1', 'd');
  expect(isOpen).toBe(true);
  expect(evicted).toHaveLength(1);
  connections.signIn(connection, 'ada');
  const last = open('e1', 'e');
  expect(evicted).toHaveLength(2);
  connections.signIn(last.connection, 'bob');
  expect(open('f1', 'f').isOpen).toBe(false);
});

test('a TCP connection counts until it closes', async () => {
  const { connections, evicted, open } = setUp();
  const tcp = new PassThrough();
  connections.accept(tcp, 'a');
  open('second');
  const closed = new Promise((resolve) => tcp.once('close', resolve));
  tcp.destroy();
  await closed;
  open('third');
  expect(evicted).toEqual([]);
  expect(connections.ofTcp(tcp)).toBeUndefined();
});

test('a TCP connection that has become a WebSocket is counted as that only', () => {
  const { connections, evicted, open } = setUp();
  const tcp = new PassThrough();
  connections.accept(tcp, 'a');
  connections.forget(tcp);
  connections.forget(tcp);
  open('as a WebSocket');
  open('second');
  expect(evicted).toEqual([]);
  expect(tcp.listenerCount('close')).toBe(new PassThrough().listenerCount('close'));
});
