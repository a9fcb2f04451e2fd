import type { Duplex } from 'node:stream';
import { type Exhausted, type Holder, Share, type ShareLimits } from '../lib/share.js';

/** A connection that counts as its holder's. */
export interface CountedConnection {
  /** Null before it is counted, and after it has closed. */
  holder: Holder | null;
  /** Closes the connection, because there are too many. */
  evict(): void;
}

/**
 * Counts connections by address and, once their client has signed in, by user. If there are too many of clients that are
 * not signed in, the oldest of them is closed for a new one: whoever connects may be about to sign in.
 */
export interface Connections {
  /** Counts a new connection, which is not signed in yet. Returns false if there are too many that are. */
  open(connection: CountedConnection, address: string): boolean;
  /** Counts a connection as a user's from now on. Returns null, or which limit has been reached: then nothing changes. */
  signIn(connection: CountedConnection, userId: string): Exhausted | null;
  close(connection: CountedConnection): void;
  /** Counts a TCP connection until it closes. Returns false if there are too many. */
  accept(tcp: Duplex, address: string): boolean;
  /** The connection that `accept` has counted; undefined if there is none. */
  ofTcp(tcp: Duplex): CountedConnection | undefined;
  /** Counts a TCP connection no longer, because it counts as a WebSocket from now on. */
  forget(tcp: Duplex): void;
}

class TcpConnection implements CountedConnection {
  holder: Holder | null = null;
  constructor(private readonly tcp: Duplex) {}
  evict(): void {
    this.tcp.destroy();
  }
}

export function createConnections(limits: ShareLimits, ignoresAddresses: () => boolean): Connections {
  const share = new Share(limits, ignoresAddresses);
  /** Those that are not signed in, by address, the oldest first. */
  const anonymous = new Map<string, Set<CountedConnection>>();
  const accepted = new WeakMap<Duplex, CountedConnection>();

  function close(connection: CountedConnection): void {
    const { holder } = connection;
    if (!holder) return;
    connection.holder = null;
    share.release(holder);
    const others = anonymous.get(holder.address);
    if (!others?.delete(connection) || others.size > 0) return;
    anonymous.delete(holder.address);
  }

  /** Makes place for a new connection. Returns false if nothing can be closed. */
  function evictOldest(connections: Iterable<CountedConnection>): boolean {
    for (const oldest of connections) {
      close(oldest);
      oldest.evict();
      return true;
    }
    return false;
  }

  function open(connection: CountedConnection, address: string): boolean {
    const holder = { userId: null, address };
    let exhausted = share.take(holder);
    while (exhausted) {
      const crowd = exhausted === 'instance' ? largest(anonymous.values()) : anonymous.get(address);
      if (!evictOldest(crowd ?? [])) return false;
      exhausted = share.take(holder);
    }
    connection.holder = holder;
    const others = anonymous.get(address);
    if (others) others.add(connection);
    else anonymous.set(address, new Set([connection]));
    return true;
  }

  function signIn(connection: CountedConnection, userId: string): Exhausted | null {
    const { holder } = connection;
    if (!holder || holder.userId === userId) return null;
    // First released, because it may be the last one that fits.
    close(connection);
    const signedIn = { userId, address: holder.address };
    const exhausted = share.take(signedIn);
    if (!exhausted) connection.holder = signedIn;
    else if (holder.userId === null) open(connection, holder.address);
    return exhausted;
  }

  /** One listener for all connections, because there are many thousands of them. */
  function onTcpClose(this: Duplex): void {
    const connection = accepted.get(this);
    if (connection) close(connection);
    accepted.delete(this);
  }

  return {
    open,
    signIn,
    close,
    accept(tcp, address) {
      const connection = new TcpConnection(tcp);
      if (!open(connection, address)) return false;
      accepted.set(tcp, connection);
      tcp.on('close', onTcpClose);
      return true;
    },
    ofTcp: (tcp) => accepted.get(tcp),
    forget(tcp) {
      tcp.off('close', onTcpClose);
      onTcpClose.call(tcp);
    },
  };
}

function largest<Item>(sets: Iterable<Set<Item>>): Set<Item> | undefined {
  let found: Set<Item> | undefined;
  for (const set of sets) if (set.size > (found?.size ?? 0)) found = set;
  return found;
}
