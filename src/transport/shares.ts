import type { Config } from '../config/index.js';
import type { Log } from '../domain/ports.js';
import { mapLimits, onlyInstance, type ShareLimits } from '../lib/share.js';
import { type ByteBudget, createByteBudget } from './budget.js';
import { type Connections, createConnections } from './connections.js';
import { type Addresses, createAddresses } from './http/address.js';

/** What clients share, and how it is divided among them. */
export interface Shares {
  readonly addresses: Addresses;
  readonly connections: Connections;
  /** Unsent bytes of all connections. */
  readonly budget: ByteBudget;
  readonly maxOperations: ShareLimits;
  readonly maxSubscriptions: ShareLimits;
}

/** @param maxUnsentBytes replaces the setting, for tests. */
export function createShares(config: Config, log: Log, maxUnsentBytes?: number): Shares {
  const limited = (limits: ShareLimits): ShareLimits => (config.rateLimits ? limits : onlyInstance(limits));
  const addresses = createAddresses(config.trustedProxies, log);
  const maxBytes = mapLimits(limited(config.maxUnsentMib), (mib) => mib * 1024 * 1024);
  return {
    addresses,
    connections: createConnections(limited(config.maxConnections), addresses.areUnknown),
    budget: createByteBudget(
      { ...maxBytes, instance: maxUnsentBytes ?? maxBytes.instance },
      log,
      addresses.areUnknown,
    ),
    maxOperations: limited(config.maxOperations),
    maxSubscriptions: limited(config.maxSubscriptions),
  };
}
