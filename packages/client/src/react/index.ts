export type { RoomMessage, SentMessage, UnsentMessage } from './messages.js';
export type { Room } from './room-store.js';
export { type UseRoomOptions, useRoom } from './use-room.js';
