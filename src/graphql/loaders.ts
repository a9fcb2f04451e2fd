import DataLoader from 'dataloader';
import type { Message } from '../domain/message.js';
import type { MessageStore, RoomStore, UserStore } from '../domain/ports.js';
import type { Room } from '../domain/room.js';
import type { User, Viewer } from '../domain/user.js';

/** Rows by id, each read once per operation or event and together with the others that are asked for meanwhile. */
export interface Loaders {
  readonly user: DataLoader<string, User | null>;
  /** Null where the viewer may not see the room. */
  readonly room: DataLoader<string, { room: Room; isMember: boolean } | null>;
  /** Null where the viewer is no member of the message's room. */
  readonly message: DataLoader<string, Message | null>;
}

interface Stores {
  readonly users: Pick<UserStore, 'findByIds'>;
  readonly rooms: Pick<RoomStore, 'findVisible' | 'findByIds'>;
  readonly messages: Pick<MessageStore, 'findByIds'>;
}

export function createLoaders(stores: Stores, viewer: Viewer | null): Loaders {
  return loadersOf({
    user: () => userLoader(stores),
    room: () =>
      loaderOf(
        async (ids) => (viewer ? stores.rooms.findVisible(ids, viewer.userId) : []),
        ({ room }) => room.id,
      ),
    message: () =>
      loaderOf(
        async (ids) => (viewer ? stores.messages.findByIds(ids, viewer.userId) : []),
        (message) => message.id,
      ),
  });
}

/** For the members of a room, whoever they are: they see it. */
export function createSharedLoaders(stores: Stores): Loaders {
  return loadersOf({
    user: () => userLoader(stores),
    room: () =>
      loaderOf(
        async (ids) => (await stores.rooms.findByIds(ids)).map((room) => ({ room, isMember: true })),
        ({ room }) => room.id,
      ),
    message: () =>
      loaderOf(
        () => Promise.reject(new Error('Messages are told by their events.')),
        (message: Message) => message.id,
      ),
  });
}

/** Made when they are first asked for: most operations and events need none, or one. */
function loadersOf(make: { readonly [Name in keyof Loaders]: () => Loaders[Name] }): Loaders {
  let user: Loaders['user'] | undefined;
  let room: Loaders['room'] | undefined;
  let message: Loaders['message'] | undefined;
  return {
    get user() {
      user ??= make.user();
      return user;
    },
    get room() {
      room ??= make.room();
      return room;
    },
    get message() {
      message ??= make.message();
      return message;
    },
  };
}

function userLoader({ users }: Stores): Loaders['user'] {
  return loaderOf(
    (ids) => users.findByIds(ids),
    (user) => user.id,
  );
}

function loaderOf<Row>(find: (ids: readonly string[]) => Promise<Row[]>, idOf: (row: Row) => string) {
  return new DataLoader<string, Row | null>(async (ids) => {
    const rows = new Map((await find(ids)).map((row) => [idOf(row), row]));
    return ids.map((id) => rows.get(id) ?? null);
  });
}
