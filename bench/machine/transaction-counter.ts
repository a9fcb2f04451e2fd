import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { stopAtEnd } from '../../test/helpers/stopping.js';

/** The protocol's message with which Postgres ends each transaction that is not an explicit one: `ReadyForQuery`. */
const READY_FOR_QUERY = 'Z'.charCodeAt(0);
/** A type of one byte, and a length of four, which includes itself. */
const HEADER_BYTES = 5;

/** Counts the transactions of a server. */
export interface TransactionCounter {
  /** The URL under which the server reaches its database, through the counter. */
  readonly url: string;
  /** Transactions since a time in ms since 1970. Parley runs none of several statements, so each is one round trip. */
  transactionsSince(time: number): number;
}

/**
 * Starts a proxy in front of a database that counts the server's transactions. Postgres' own statistics may be late by ten
 * seconds. `stopAll` stops it.
 */
export async function startTransactionCounter(databaseUrl: string): Promise<TransactionCounter> {
  const { hostname: host, port } = new URL(databaseUrl);
  const sockets = new Set<Socket>();
  const times: number[] = [];
  const server = createServer({ noDelay: true }, (client) => {
    const upstream = connect({ port: Number(port), host, noDelay: true });
    // The first one ends the start of the session.
    let sessions = -1;
    const read = createMessageReader((type) => {
      if (type !== READY_FOR_QUERY) return;
      sessions += 1;
      if (sessions > 0) times.push(Date.now());
    });
    upstream.on('data', read);
    for (const [from, to] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      sockets.add(from);
      from.pipe(to);
      from.on('error', () => to.destroy());
      from.on('close', () => {
        sockets.delete(from);
        to.destroy();
      });
    }
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  stopAtEnd(async () => {
    server.close();
    for (const socket of sockets) socket.destroy();
  });
  const url = new URL(databaseUrl);
  url.port = String((server.address() as AddressInfo).port);
  url.searchParams.set('sslmode', 'disable');
  return {
    url: url.href,
    transactionsSince: (start) => times.filter((time) => time >= start).length,
  };
}

/** Returns a function that takes what a database sends, in any pieces, and reports the type of each message. */
export function createMessageReader(onMessage: (type: number) => void): (bytes: Buffer) => void {
  let header: number[] = [];
  /** Bytes of the current message that are still to come. */
  let left = 0;
  return (bytes) => {
    for (let at = 0; at < bytes.length; ) {
      if (left > 0) {
        const skipped = Math.min(left, bytes.length - at);
        left -= skipped;
        at += skipped;
        continue;
      }
      header.push(bytes[at] ?? 0);
      at += 1;
      if (header.length < HEADER_BYTES) continue;
      const [type = 0, ...length] = header;
      left = Buffer.from(length).readInt32BE() - length.length;
      header = [];
      onMessage(type);
    }
  };
}
