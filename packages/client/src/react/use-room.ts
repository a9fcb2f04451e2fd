import { type DocumentNode, print } from 'graphql';
import { useState, useSyncExternalStore } from 'react';
import type { ParleyClient } from '../client.js';
import type { TypedDocumentNode } from '../types.js';
import { createRoomStore, type Room, type RoomStoreOptions } from './room-store.js';

export interface UseRoomOptions<Fields> {
  /** A fragment on `Message` with the fields that your component shows besides `id`, `seq`, `text` and `revision`. */
  readonly message?: TypedDocumentNode<Fields, unknown> | DocumentNode | undefined;
  /** The number of messages on a page, 1 to 100; 50 by default. */
  readonly pageSize?: number | undefined;
}

/**
 * Shows a room: the newest page of its history, older pages on demand, new and changed messages, and own messages at
 * once. The list has each message once, in order, through outages of any length. The room is left when the last component
 * that shows it unmounts.
 */
export function useRoom<Fields = unknown>(
  client: ParleyClient,
  roomId: string,
  { message, pageSize = 50 }: UseRoomOptions<Fields> = {},
): Room<Fields> {
  const options = { client, roomId, message, pageSize };
  const [current, setCurrent] = useState(() => open<Fields>(options));
  let room = current;
  if (!isSame(room.options, options)) {
    room = open<Fields>(options);
    setCurrent(room);
  }
  const { subscribe, getState } = room.store;
  return useSyncExternalStore(subscribe, getState, getState);
}

function open<Fields>(options: RoomStoreOptions) {
  return { options, store: createRoomStore<Fields>(options) };
}

function isSame(a: RoomStoreOptions, b: RoomStoreOptions): boolean {
  return (
    a.client === b.client &&
    a.roomId === b.roomId &&
    a.pageSize === b.pageSize &&
    // A component may parse its fragment at each render.
    (a.message === b.message || (a.message && print(a.message)) === (b.message && print(b.message)))
  );
}
