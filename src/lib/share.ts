/** The most of something that one user, one address, or all clients together may have at once. */
export interface ShareLimits {
  /** Of all clients. Those who are not signed in may have half of it. */
  readonly instance: number;
  /** Of everyone at one address who is signed in. An office or a proxy is one address, so this is far more than one user's. */
  readonly address: number;
  /** Of everyone at one address who is not signed in. */
  readonly anonymous: number;
  readonly user: number;
}

/** Who has something. */
export interface Holder {
  /** Null if not signed in. */
  readonly userId: string | null;
  readonly address: string;
}

/** Which limit has been reached. */
export type Exhausted = keyof ShareLimits;

/** Counts what clients have at once, and refuses what would be more than their share. */
export class Share {
  private readonly users = new Map<string, number>();
  private readonly addresses = new Map<string, number>();
  private readonly anonymous = new Map<string, number>();
  private total = 0;
  private anonymousTotal = 0;

  /** @param ignoresAddresses whether addresses say nothing at present about those who are signed in. */
  constructor(
    readonly limits: ShareLimits,
    private readonly ignoresAddresses: () => boolean = () => false,
  ) {}

  /** Counts one more. Returns null, or which limit has been reached: then nothing is counted. */
  take(holder: Holder): Exhausted | null {
    const exhausted = this.exhaustedFor(holder);
    if (!exhausted) this.count(holder, 1);
    return exhausted;
  }

  /** Counts one less. To be called once for each successful `take`, with an equal holder. */
  release(holder: Holder): void {
    this.count(holder, -1);
  }

  /** How many there are. */
  get size(): number {
    return this.total;
  }

  private exhaustedFor({ userId, address }: Holder): Exhausted | null {
    const { limits } = this;
    if (userId === null) {
      if ((this.anonymous.get(address) ?? 0) >= limits.anonymous) return 'anonymous';
      return this.anonymousTotal >= limits.instance / 2 || this.total >= limits.instance ? 'instance' : null;
    }
    if ((this.users.get(userId) ?? 0) >= limits.user) return 'user';
    if ((this.addresses.get(address) ?? 0) >= limits.address && !this.ignoresAddresses()) return 'address';
    return this.total >= limits.instance ? 'instance' : null;
  }

  private count({ userId, address }: Holder, change: 1 | -1): void {
    this.total += change;
    if (userId === null) {
      this.anonymousTotal += change;
      add(this.anonymous, address, change);
    } else {
      add(this.users, userId, change);
      add(this.addresses, address, change);
    }
  }
}

/** The limits for all clients together only. */
export function onlyInstance({ instance }: ShareLimits): ShareLimits {
  return { instance, address: Infinity, anonymous: Infinity, user: Infinity };
}

export function mapLimits(limits: ShareLimits, change: (limit: number) => number): ShareLimits {
  const { instance, address, anonymous, user } = limits;
  return {
    instance: change(instance),
    address: change(address),
    anonymous: change(anonymous),
    user: change(user),
  };
}

function add(counts: Map<string, number>, key: string, change: number): void {
  const count = (counts.get(key) ?? 0) + change;
  if (count > 0) counts.set(key, count);
  else counts.delete(key);
}
