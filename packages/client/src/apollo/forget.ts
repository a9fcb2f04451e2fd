import type { ApolloCache, Reference } from '@apollo/client';
import type { MessageList } from './message-list.js';

/**
 * Removes the messages of a room from the cache: after a gap in the history, messages of the same `seq`, and lower
 * revisions of the same messages, may follow.
 */
export function forgetMessages(cache: ApolloCache, roomId: string): void {
  const room = cache.identify({ __typename: 'Room', id: roomId });
  const messages = new Set<string>();
  const collect = (list: MessageList | Reference | null): typeof list => {
    if (list && 'known' in list) for (const { node } of list.known) messages.add(node.__ref);
    return list;
  };
  cache.modify<Record<string, MessageList | null>>({
    id: 'ROOT_QUERY',
    fields: {
      roomMessages: (list, { storeFieldName }) =>
        storeFieldName.includes(JSON.stringify(roomId)) ? collect(list) : list,
    },
  });
  cache.evict({ id: 'ROOT_QUERY', fieldName: 'roomMessages', args: { roomId } });
  if (room !== undefined) {
    cache.modify<Record<string, MessageList | null>>({ id: room, fields: { messages: collect } });
    cache.evict({ id: room, fieldName: 'messages' });
  }
  for (const id of messages) cache.evict({ id });
}
