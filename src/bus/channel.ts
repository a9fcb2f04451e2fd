/** A Redis channel that the bus wants to be subscribed to. */
export interface Channel {
  readonly topic: string;
  /** Resolves when the subscription is in place, or is no longer wanted. Never rejects. */
  readonly confirmed: Promise<void>;
  readonly confirm: () => void;
  state: 'pending' | 'subscribed' | 'refused';
}

export function createChannel(topic: string): Channel {
  let confirm = (): void => {};
  const confirmed = new Promise<void>((resolve) => {
    confirm = resolve;
  });
  return { topic, confirmed, confirm, state: 'pending' };
}
