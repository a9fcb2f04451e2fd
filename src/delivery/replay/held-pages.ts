import type { Message } from '../../domain/message/message.js';

/** Time for which a reader who does not go on keeps its page, in ms. */
const HOLD_MS = 1000;
/** Maximum size of all held pages together, in bytes; beyond it, those that were used least recently are dropped. */
const MAX_BYTES = 32 * 1024 * 1024;
/** Approximate size of a message without its text, in bytes. */
const MESSAGE_OVERHEAD_BYTES = 800;

/** A page that a reader goes through. */
export interface HeldPage {
  /** The next message; `end` after the last one; `dropped` if the reader has to read the rest again. */
  next(): Message | 'end' | 'dropped';
  /** Frees the page, when the reader has gone through it or ends. Idempotent. */
  release(): void;
}

/**
 * Bounds the memory of pages that readers go through at the pace of their sockets. A page is dropped when its reader stalls,
 * or when all pages together are too large: its reader reads it again when it goes on.
 */
export interface HeldPages {
  hold(messages: readonly Message[]): HeldPage;
  /** Approximate size of all held pages, in bytes. */
  readonly bytes: number;
}

interface Entry {
  messages: readonly Message[] | null;
  readonly bytes: number;
  usedAt: number;
}

export function createHeldPages(maxBytes = MAX_BYTES): HeldPages {
  /** Those used least recently first. */
  const held = new Set<Entry>();
  let bytes = 0;
  let timer: NodeJS.Timeout | undefined;

  function drop(entry: Entry): void {
    if (!held.delete(entry)) return;
    bytes -= entry.bytes;
    entry.messages = null;
  }

  function sweep(): void {
    timer = undefined;
    const oldest = performance.now() - HOLD_MS;
    for (const entry of held) {
      if (entry.usedAt > oldest) break;
      drop(entry);
    }
    schedule();
  }

  function schedule(): void {
    if (held.size > 0 && !timer) timer = setTimeout(sweep, HOLD_MS).unref();
  }

  function touch(entry: Entry): void {
    entry.usedAt = performance.now();
    held.delete(entry);
    held.add(entry);
  }

  return {
    hold(messages) {
      const entry: Entry = { messages, bytes: sizeOf(messages), usedAt: 0 };
      touch(entry);
      bytes += entry.bytes;
      for (const oldest of held) {
        if (bytes <= maxBytes || oldest === entry) break;
        drop(oldest);
      }
      schedule();
      let index = 0;
      return {
        next() {
          if (!entry.messages) return 'dropped';
          touch(entry);
          const message = entry.messages[index] ?? 'end';
          index += 1;
          return message;
        },
        release: () => drop(entry),
      };
    },
    get bytes() {
      return bytes;
    },
  };
}

function sizeOf(messages: readonly Message[]): number {
  let bytes = 0;
  for (const { text } of messages) bytes += MESSAGE_OVERHEAD_BYTES + 2 * text.length;
  return bytes;
}
