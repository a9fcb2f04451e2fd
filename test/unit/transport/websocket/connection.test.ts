import { PassThrough } from 'node:stream';
import { expect, test, vi } from 'vitest';
import { CLOSE } from '../../../../src/transport/websocket/close-codes.js';
import { ClientSocket, Connection } from '../../../../src/transport/websocket/connection.js';

const log = { debug() {}, info() {}, warn() {}, error() {} };

function connect() {
  // As a WebSocketServer makes one.
  const socket = new ClientSocket(null as unknown as string, undefined, {});
  const [ping, terminate] = [
    vi.spyOn(socket, 'ping').mockReturnValue(undefined),
    vi.spyOn(socket, 'terminate').mockReturnValue(undefined),
  ];
  const connections = new Set<Connection>();
  const connection = new Connection({ socket, tcp: new PassThrough(), address: '::1', log, connections });
  return { socket, connection, connections, ping, terminate };
}

test('who answers each ping stays, and who does not is given up at the next one', () => {
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

test('nobody is pinged, nor given up, while something still leaves for them', () => {
  const { socket, connection, ping, terminate } = connect();
  connection.ping();
  vi.spyOn(socket, 'bufferedAmount', 'get').mockReturnValue(1);
  connection.ping();
  connection.ping();
  expect(ping).toHaveBeenCalledTimes(1);
  expect(terminate).not.toHaveBeenCalled();
});

test('of a socket that is closed nothing is kept', () => {
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
