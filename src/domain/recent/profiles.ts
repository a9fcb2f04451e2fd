import type { Message } from '../message/message.js';
import type { ChangedProfile } from '../user.js';

/** Longer than messages stay in memory, in ms: see `delivery/feed/timeline.ts`. */
const KEEP_MS = 90_000;

/** The profiles that were changed lately: messages in memory hold their authors as they were. */
export interface Profiles {
  remember(profile: ChangedProfile): void;
  /** The message with its author's current profile. */
  current(message: Message): Message;
}

export function createProfiles(): Profiles {
  /** Those that were changed first come first. */
  const changed = new Map<string, ChangedProfile & { readonly rememberedAt: number }>();

  function forgetOld(): void {
    const oldest = performance.now() - KEEP_MS;
    for (const [id, { rememberedAt }] of changed) {
      if (rememberedAt > oldest) break;
      changed.delete(id);
    }
  }

  return {
    remember(profile) {
      const { id } = profile.user;
      const known = changed.get(id);
      if (known && known.changedAt > profile.changedAt) return;
      changed.delete(id);
      changed.set(id, { ...profile, rememberedAt: performance.now() });
      forgetOld();
    },
    current(message) {
      const { authorId, author } = message;
      if (changed.size === 0 || authorId === null || !author) return message;
      const profile = changed.get(authorId);
      // A message that was written later came with this profile or a newer one.
      if (!profile || profile.user === author || message.createdAt > profile.changedAt) return message;
      return { ...message, author: profile.user };
    },
  };
}
