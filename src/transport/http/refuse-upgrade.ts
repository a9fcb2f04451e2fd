import type { Duplex } from 'node:stream';

/**
 * Rejects an upgrade request with an HTTP status and closes the connection.
 *
 * @param status code and reason, such as `403 Forbidden`.
 */
export function refuseUpgrade(socket: Duplex, status: string): void {
  // `end()` alone closes our half only: the connection would stay open until the client closes its half.
  socket.once('finish', () => socket.destroy());
  socket.end(`HTTP/1.1 ${status}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`);
}
