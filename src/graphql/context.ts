import type { Subscriptions } from '../delivery/subscription.js';
import type { MessageStore } from '../domain/message-store.js';
import type { Messages } from '../domain/messages.js';
import type { RoomStore, Rooms } from '../domain/room.js';
import type { UserStore } from '../domain/user.js';
import {
  type Authentication,
  requireViewer,
  type SignedIn,
  type Users,
  type Viewer,
} from '../domain/user.js';
import { createLoaders, createSharedLoaders, type Loaders } from './loaders.js';

/** What resolvers work with: the rules of the domain, and the stores that loaders read by id. */
export interface Services {
  readonly users: Users;
  readonly rooms: Rooms;
  readonly messages: Messages;
  readonly subscriptions: Subscriptions;
  readonly stores: {
    readonly users: UserStore;
    readonly rooms: RoomStore;
    readonly messages: MessageStore;
  };
}

/** Made for every operation, and again for every event of a subscription: nothing read for one shows in the next. */
export interface Context {
  readonly services: Services;
  /** Changes only where an operation signs somebody in. */
  authentication: Authentication;
  /** Where the request comes from, for rate limits. */
  readonly address: string;
  loaders: Loaders;
}

export function createContext(services: Services, authentication: Authentication, address: string): Context {
  const viewer = authentication.kind === 'viewer' ? authentication.viewer : null;
  return { services, authentication, address, loaders: createLoaders(services.stores, viewer) };
}

/**
 * For an event of a room that is told to several of its members at once: whoever of them may see the event may see all
 * that is read with it. There is no viewer: a field that asks for one is not marked as it should be, and fails.
 */
export function createSharedContext(services: Services): Context {
  return {
    services,
    get authentication(): Authentication {
      throw new Error('This is told to several viewers at once: a field that depends on one must be marked.');
    },
    get address(): string {
      throw new Error('This is told to several viewers at once, who have no common address.');
    },
    loaders: createSharedLoaders(services.stores),
  };
}

/**
 * What an operation reads after it signed somebody in, it reads as them: `login { … viewer { rooms … } }` shows their
 * rooms, whatever header the request came with.
 */
export function signInto(context: Context, { user, accessToken }: SignedIn): void {
  const viewer = { userId: user.id, sessionId: accessToken.sessionId };
  context.authentication = { kind: 'viewer', viewer, expiresAt: accessToken.expiresAt.getTime() };
  context.loaders = createLoaders(context.services.stores, viewer);
}

/**
 * Who asks. Root fields that are not public are refused before their resolvers run, see `schema/builder.ts`.
 *
 * @throws UnauthenticatedError
 */
export function viewerOf(context: Context): Viewer {
  return requireViewer(context.authentication);
}
