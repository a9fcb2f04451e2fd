import type { Subscriptions } from '../delivery/subscription.js';
import type { Messages } from '../domain/message/messages.js';
import type { MessageStore } from '../domain/message/store.js';
import type { RoomStore, Rooms } from '../domain/room.js';
import type { UserStore } from '../domain/user.js';
import {
  type Authentication,
  requireViewer,
  type SignedIn,
  type Users,
  type Viewer,
} from '../domain/user.js';
import type { Client } from './limits/admission.js';
import { Work } from './limits/work.js';
import { createLoaders, createSharedLoaders, type Loaders } from './loaders.js';

/** Services that resolvers use: those of the domain, and the stores that the loaders read by id. */
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

/** One per operation, and per event of a subscription or per page of its replay, so that no data is cached for long. */
export interface Context {
  readonly services: Services;
  /** Changes only when a mutation signs the caller in; see `signInto`. */
  authentication: Authentication;
  /** The client's IP address, for rate limits. */
  readonly address: string;
  /** The id of the request in the log. */
  readonly requestId: string;
  /** Whether nobody waits for the result any more. */
  readonly isGone: () => boolean;
  /** Bounds what the operation reads: every read of a resolver goes through it, as the loaders' do. */
  readonly work: Work;
  loaders: Loaders;
}

/** @param isGone whether nobody waits for the result any more. */
export function createContext(services: Services, client: Client, isGone: () => boolean): Context {
  const { authentication, address } = client;
  const viewer = authentication.kind === 'viewer' ? authentication.viewer : null;
  const work = new Work(isGone);
  const loaders = createLoaders(services.stores, viewer, work);
  return {
    services,
    authentication,
    address,
    // That of a WebSocket is made up only if it is asked for.
    get requestId() {
      return client.requestId;
    },
    isGone,
    work,
    loaders,
  };
}

/**
 * A context without a viewer, for an event that is delivered to several members of a room at once. Any member who may see
 * the event may also see all data loaded for it. A field that reads the viewer here lacks the `dependsOnViewer` mark, and
 * fails.
 */
export function createSharedContext(services: Services): Context {
  const work = new Work(() => false);
  return {
    services,
    get authentication(): Authentication {
      throw new Error(
        'This event is executed for several viewers at once: mark a field that depends on the viewer with `dependsOnViewer`.',
      );
    },
    get address(): string {
      throw new Error('This event is executed for several viewers at once, who have no common address.');
    },
    requestId: '',
    isGone: () => false,
    work,
    loaders: createSharedLoaders(services.stores, work),
  };
}

/**
 * Makes the user who has just signed in the viewer of the rest of the operation: `login { … viewer { rooms … } }` returns
 * their rooms, whatever `authorization` header the request had.
 */
export function signInto(context: Context, { user, accessToken }: SignedIn): void {
  const viewer = { userId: user.id, sessionId: accessToken.sessionId };
  context.authentication = { kind: 'viewer', viewer, expiresAt: accessToken.expiresAt.getTime() };
  context.loaders = createLoaders(context.services.stores, viewer, context.work);
}

/**
 * The authenticated viewer. Root fields that are not public are rejected before their resolvers run, see
 * `schema/access.ts`.
 *
 * @throws UnauthenticatedError if the token is missing, invalid or expired.
 */
export function viewerOf(context: Context): Viewer {
  return requireViewer(context.authentication);
}
