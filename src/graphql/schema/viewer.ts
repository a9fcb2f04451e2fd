import {
  InvalidCredentialsError,
  RateLimitedError,
  UnauthenticatedError,
  UsernameTakenError,
  ValidationError,
} from '../../domain/errors.js';
import { listRange } from '../../domain/page.js';
import type { SignedIn, User as UserRow } from '../../domain/user.js';
import { signInto, viewerOf } from '../context.js';
import { isPublic } from './access.js';
import { builder } from './builder.js';
import { resultOf } from './descriptions.js';
import { connectionArguments } from './pagination.js';
import { RoomConnection, roomPage } from './room.js';
import { User } from './user.js';

export const Viewer = builder.node(builder.objectRef<UserRow>('Viewer'), {
  description:
    'The viewer: the signed-in user, whose access token the request carries, with the data that only they can see. Their public profile is `user`.',
  id: {
    resolve: ({ id }) => id,
    description:
      "Opaque, stable global ID of the viewer. Differs from the `id` of the same person's `User`: to recognize the viewer's own messages, compare `viewer.user.id` with `author.id`.",
  },
  async loadWithoutCache(id, context) {
    const user = viewerOf(context).userId === id ? await context.loaders.user.load(id) : null;
    // Copied, because the relay plugin marks the loaded object with its type, and the same row may be loaded as a User.
    return user && { ...user };
  },
  fields: (t) => ({
    user: t.field({
      type: User,
      description: 'Public profile of the viewer. Its `id` is the one that `Message.author` returns.',
      resolve: (user) => user,
    }),
    rooms: t.field({
      type: RoomConnection,
      description:
        'Lists the rooms of which the viewer is a member, most recent activity first. A room moves up within two seconds after a message.',
      args: connectionArguments(t.arg, 'returns the first 50'),
      resolve: async (user, args, { services, work }) =>
        roomPage(await work.read(() => services.rooms.listJoined(user.id, listRange(args)))),
    }),
  }),
});

builder.queryField('viewer', (t) =>
  t.field({
    type: Viewer,
    nullable: true,
    extensions: isPublic,
    description:
      'The signed-in user. Null if the request has no access token. If the token is invalid or has expired, null with `UNAUTHENTICATED` in `errors` and `INVALID` or `EXPIRED` in `extensions.reason`: log in again.',
    async resolve(_root, _args, context) {
      if (context.authentication.kind === 'missing') return null;
      const user = await context.loaders.user.load(viewerOf(context).userId);
      if (!user) throw new UnauthenticatedError('INVALID');
      return user;
    },
  }),
);

const AuthPayload = builder.objectRef<SignedIn>('AuthPayload').implement({
  description:
    'Payload of `signUp` and `login`: the signed-in user and an access token for further requests.',
  fields: (t) => ({
    accessToken: t.string({
      description:
        'Access token. Send it as the header `Authorization: Bearer <token>` over HTTP and server-sent events, and as `authorization: "Bearer <token>"` in `connectionParams` over WebSocket. It cannot be refreshed or revoked: log in again to get a new one.',
      resolve: ({ accessToken }) => accessToken.token,
    }),
    accessTokenExpiresAt: t.field({
      type: 'DateTime',
      description: 'Identifies the date and time when the access token expires.',
      resolve: ({ accessToken }) => accessToken.expiresAt,
    }),
    accessTokenExpiresInMs: t.int({
      description:
        'Time until the access token expires, in milliseconds, capped at 2,147,483,647. Unlike `accessTokenExpiresAt`, it does not depend on the clock of the client.',
      resolve: ({ accessToken }) => Math.min(accessToken.expiresInMs, 2 ** 31 - 1),
    }),
    viewer: t.field({
      type: Viewer,
      description:
        'The signed-in user. Its fields are resolved for this user, even if the request was sent with another access token.',
      resolve: ({ user }) => user,
    }),
  }),
});

const SignUpInput = builder.inputType('SignUpInput', {
  description: 'Input for `signUp`.',
  fields: (t) => ({
    username: t.string({
      required: true,
      description:
        'Username of the new user, 3 to 32 characters: letters and digits of one script, `_`, `.` and `-`. Letters of half or full width become ordinary ones; other variants of letters, invisible characters and mixed scripts are refused (RFC 8265, UTS 39). Must be unique, ignoring letter case; with characters beyond ASCII, it must not look like another one.',
    }),
    password: t.string({
      required: true,
      description:
        'Password of the new user, 8 to 128 characters. Composed and decomposed letters are the same, and so are all kinds of spaces (RFC 8265, OpaqueString).',
    }),
    displayName: t.string({
      description:
        'Name to display, 1 to 64 characters, without invisible characters. Surrounding whitespace is removed. Omit or pass null to use the username.',
    }),
  }),
});

builder.mutationField('signUp', (t) =>
  t.field({
    type: AuthPayload,
    extensions: isPublic,
    description:
      'Creates a user and signs them in. The new user joins the lobby, a public room for everyone (ID `Rlobby0000000000000000A`), unless the server has none. Rate limited by network address.',
    errors: {
      types: [UsernameTakenError, ValidationError, RateLimitedError],
      union: { description: resultOf('signUp', 'AuthPayload') },
    },
    args: {
      input: t.arg({
        type: SignUpInput,
        required: true,
        description: 'Username, password and display name.',
      }),
    },
    async resolve(_root, { input }, context) {
      const signedIn = await context.services.users.signUp(input, context.address);
      signInto(context, signedIn);
      return signedIn;
    },
  }),
);

const LoginInput = builder.inputType('LoginInput', {
  description: 'Input for `login`.',
  fields: (t) => ({
    username: t.string({ required: true, description: 'Username, in any letter case.' }),
    password: t.string({ required: true, description: 'Password of the user.' }),
  }),
});

builder.mutationField('login', (t) =>
  t.field({
    type: AuthPayload,
    extensions: isPublic,
    description:
      'Signs a user in. Returns `InvalidCredentialsError` for an unknown username as well as for a wrong password, and takes the same time in both cases. Rate limited by username and by network address.',
    errors: {
      types: [InvalidCredentialsError, RateLimitedError],
      union: { description: resultOf('login', 'AuthPayload') },
    },
    args: { input: t.arg({ type: LoginInput, required: true, description: 'The credentials.' }) },
    async resolve(_root, { input }, context) {
      const signedIn = await context.services.users.login(input, context.address);
      signInto(context, signedIn);
      return signedIn;
    },
  }),
);

const UpdateProfileInput = builder.inputType('UpdateProfileInput', {
  description: 'Input for `updateProfile`. Omitted fields stay unchanged.',
  fields: (t) => ({
    displayName: t.string({
      description:
        'New name to display, 1 to 64 characters. Surrounding whitespace is removed. Null leaves the name unchanged.',
    }),
    avatarUrl: t.string({
      description: 'New picture: an http or https URL of at most 2,048 characters. Null removes the picture.',
    }),
  }),
});

const UpdateProfilePayload = builder.objectRef<UserRow>('UpdateProfilePayload').implement({
  description: 'Payload of `updateProfile`.',
  fields: (t) => ({
    viewer: t.field({
      type: Viewer,
      description: 'The viewer with the updated profile.',
      resolve: (user) => user,
    }),
  }),
});

builder.mutationField('updateProfile', (t) =>
  t.field({
    type: UpdateProfilePayload,
    description:
      "Changes the viewer's profile. Pages and messages sent after the change show the new profile. Subscriptions deliver no event for the change itself.",
    errors: {
      types: [ValidationError, RateLimitedError],
      union: { description: resultOf('updateProfile', 'UpdateProfilePayload') },
    },
    args: {
      input: t.arg({ type: UpdateProfileInput, required: true, description: 'The fields to change.' }),
    },
    resolve: (_root, { input }, context) =>
      context.services.users.updateProfile(viewerOf(context), {
        ...(input.displayName == null ? {} : { displayName: input.displayName }),
        ...(input.avatarUrl === undefined ? {} : { avatarUrl: input.avatarUrl }),
      }),
  }),
);
