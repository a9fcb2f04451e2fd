import { PassThrough } from 'node:stream';
import { expect, test, vi } from 'vitest';
import { createConnections } from '../../../../src/transport/connections.js';
import { CLOSE } from '../../../../src/transport/websocket/close-codes.js';
import { ClientSocket, Connection } from '../../../../src/transport/websocket/connection.js';

const log = { debug() {}, info() {}, warn() {}, error() {} };

function connect() {
  // Created like by a WebSocketServer.
  const socket = new ClientSocket(null as unknown as string, undefined, {});
  const [ping, terminate] = [
    vi.spyOn(socket, 'ping').mockReturnValue(undefined),
    vi.spyOn(socket, 'terminate').mockReturnValue(undefined),
  ];
  const connections = new Set<Connection>();
  const none = { instance: Infinity, address: Infinity, anonymous: Infinity, user: Infinity };
  const counts = createConnections(none, () => false);
  const tcp = new PassThrough();
  const connection = new Connection({ socket, tcp, address: '::1', log, counts, connections });
  return { socket, connection, connections, ping, terminate };
}

test('a socket is terminated at the next ping if it has not answered the previous one', () => {
  const { socket, connection, ping, terminate } = connect();
  connection.ping();
  socket.emit('pong', Buffer.alloc(0));
  connection.ping();
  expect(ping).toHaveBeenCalledTimes(2);
  expect(terminate).not.toHaveBeenCalled();
  connection.ping();
  expect(ping).toHaveBeenCalledTimes(2);
  expect(terminate).toHaveBeenCalledTimes(1);
});

test('a socket with unsent bytes is neither pinged nor terminated', () => {
  const { socket, connection, ping, terminate } = connect();
  connection.ping();
  vi.spyOn(socket, 'bufferedAmount', 'get').mockReturnValue(1);
  connection.ping();
  connection.ping();
  expect(ping).toHaveBeenCalledTimes(1);
  expect(terminate).not.toHaveBeenCalled();
});

test('a closed socket is removed from the connections', () => {
  const { socket, connections } = connect();
  expect(connections.size).toBe(1);
  socket.emit('close', 1006, Buffer.alloc(0));
  expect(connections.size).toBe(0);
});

test('ending a socket that has closed already resolves at once', async () => {
  const { socket, connection } = connect();
  vi.spyOn(socket, 'readyState', 'get').mockReturnValue(socket.CLOSED);
  const late = new Promise((resolve) => setImmediate(() => resolve('late')));
  expect(await Promise.race([connection.end(CLOSE.restart), late])).toBeUndefined();
});
