import type { Duplex } from 'node:stream';

/** Answers an upgrade with nothing but a status, and ends its connection. */
export function refuseUpgrade(socket: Duplex, status: string): void {
  // Ended alone, it would stay for as long as the client keeps its own half open, also when the server stops.
  socket.once('finish', () => socket.destroy());
  socket.end(`HTTP/1.1 ${status}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`);
}
