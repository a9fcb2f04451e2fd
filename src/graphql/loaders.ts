import DataLoader from 'dataloader';
import type { Message } from '../domain/message/message.js';
import type { MessageStore } from '../domain/message/store.js';
import type { Room, RoomStore } from '../domain/room.js';
import type { User, UserStore, Viewer } from '../domain/user.js';
import type { Work } from './limits/work.js';

/** Load rows by id: in batches, and each row once per operation or event. */
export interface Loaders {
  readonly user: DataLoader<string, User | null>;
  /** Null if the viewer may not see the room. */
  readonly room: DataLoader<string, { room: Room; isMember: boolean } | null>;
  /** Null if the viewer is not a member of the message's room. */
  readonly message: DataLoader<string, Message | null>;
}

interface Stores {
  readonly users: Pick<UserStore, 'findByIds'>;
  readonly rooms: Pick<RoomStore, 'findVisible' | 'findByIds'>;
  readonly messages: Pick<MessageStore, 'findByIds'>;
}

export function createLoaders(stores: Stores, viewer: Viewer | null, work: Work): Loaders {
  return new ViewerLoaders(stores, viewer, work);
}

/** Loaders without a viewer, for data that every member of a room may see. */
export function createSharedLoaders(stores: Stores, work: Work): Loaders {
  return new MemberLoaders(stores, work);
}

// These classes create each loader at its first use: most operations and events need at most one.

class ViewerLoaders implements Loaders {
  private users: Loaders['user'] | undefined;
  private rooms: Loaders['room'] | undefined;
  private messages: Loaders['message'] | undefined;

  constructor(
    private readonly stores: Stores,
    private readonly viewer: Viewer | null,
    private readonly work: Work,
  ) {}

  get user(): Loaders['user'] {
    this.users ??= userLoader(this.stores, this.work);
    return this.users;
  }

  get room(): Loaders['room'] {
    const { stores, viewer, work } = this;
    this.rooms ??= loaderOf(
      work,
      async (ids) => (viewer ? stores.rooms.findVisible(ids, viewer.userId) : []),
      ({ room }) => room.id,
    );
    return this.rooms;
  }

  get message(): Loaders['message'] {
    const { stores, viewer, work } = this;
    this.messages ??= loaderOf(
      work,
      async (ids) => (viewer ? stores.messages.findByIds(ids, viewer.userId) : []),
      (message) => message.id,
    );
    return this.messages;
  }
}

class MemberLoaders implements Loaders {
  private users: Loaders['user'] | undefined;
  private rooms: Loaders['room'] | undefined;

  constructor(
    private readonly stores: Stores,
    private readonly work: Work,
  ) {}

  get user(): Loaders['user'] {
    this.users ??= userLoader(this.stores, this.work);
    return this.users;
  }

  get room(): Loaders['room'] {
    const { stores, work } = this;
    this.rooms ??= loaderOf(
      work,
      async (ids) => (await stores.rooms.findByIds(ids)).map((room) => ({ room, isMember: true })),
      ({ room }) => room.id,
    );
    return this.rooms;
  }

  get message(): Loaders['message'] {
    throw new Error('Messages cannot be loaded for several viewers at once: events contain theirs.');
  }
}

function userLoader({ users }: Stores, work: Work): Loaders['user'] {
  return loaderOf(
    work,
    (ids) => users.findByIds(ids),
    (user) => user.id,
  );
}

function loaderOf<Row>(
  work: Work,
  find: (ids: readonly string[]) => Promise<Row[]>,
  idOf: (row: Row) => string,
) {
  return new DataLoader<string, Row | null>(async (ids) => {
    const rows = new Map((await work.read(() => find(ids))).map((row) => [idOf(row), row]));
    return ids.map((id) => rows.get(id) ?? null);
  });
}
