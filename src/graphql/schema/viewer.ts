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
import { builder } from './builder.js';
import { connectionArguments } from './pagination.js';
import { RoomConnection, roomPage } from './room.js';
import { User } from './user.js';

export const Viewer = builder.node(builder.objectRef<UserRow>('Viewer'), {
  description: 'The signed-in person and what is theirs alone.',
  id: { resolve: ({ id }) => id },
  async loadWithoutCache(id, context) {
    const user = viewerOf(context).userId === id ? await context.loaders.user.load(id) : null;
    // A copy: the relay plugin brands what `node` loads with its type, and the same row may be loaded as a User.
    return user && { ...user };
  },
  fields: (t) => ({
    user: t.field({ type: User, description: 'The viewer as others see them.', resolve: (user) => user }),
    rooms: t.field({
      type: RoomConnection,
      description: 'The rooms that the viewer has joined, newest activity first.',
      args: connectionArguments(t.arg, 'Without any argument: the first 50.'),
      resolve: async (user, args, { services }) =>
        roomPage(await services.rooms.listJoined(user.id, listRange(args))),
    }),
  }),
});

builder.queryField('viewer', (t) =>
  t.field({
    type: Viewer,
    nullable: true,
    skipTypeScopes: true,
    description:
      "The signed-in user's own view; null without a token. With a bad or expired one: null, and `UNAUTHENTICATED` in `errors` with `extensions.reason: INVALID | EXPIRED`; public fields of the same operation still run.",
    async resolve(_root, _args, context) {
      if (context.authentication.kind === 'missing') return null;
      const user = await context.loaders.user.load(viewerOf(context).userId);
      if (!user) throw new UnauthenticatedError('INVALID');
      return user;
    },
  }),
);

const AuthPayload = builder.objectRef<SignedIn>('AuthPayload').implement({
  description: 'A person is signed in: what later requests need to say so.',
  fields: (t) => ({
    accessToken: t.string({
      description: 'For the `Authorization: Bearer …` header, or `authorization` in connectionParams.',
      resolve: ({ accessToken }) => accessToken.token,
    }),
    accessTokenExpiresAt: t.field({
      type: 'DateTime',
      description: 'Until when the token is good.',
      resolve: ({ accessToken }) => accessToken.expiresAt,
    }),
    accessTokenExpiresInMs: t.int({
      description: 'The same as a duration, for clients whose clock is off.',
      resolve: ({ accessToken }) => Math.min(accessToken.expiresInMs, 2 ** 31 - 1),
    }),
    viewer: t.field({
      type: Viewer,
      description: 'Who is signed in.',
      resolve: ({ user }) => user,
    }),
  }),
});

const SignUpInput = builder.inputType('SignUpInput', {
  description: 'A new person.',
  fields: (t) => ({
    username: t.string({
      required: true,
      description: '3 to 32 letters and digits of any script, and _ . - ; unique in any letter case.',
    }),
    password: t.string({ required: true, description: '8 to 128 characters.' }),
    displayName: t.string({ description: '1 to 64 characters; the username where absent.' }),
  }),
});

builder.mutationField('signUp', (t) =>
  t.field({
    type: AuthPayload,
    skipTypeScopes: true,
    description: 'Makes a new person, who joins the lobby and is signed in.',
    errors: {
      types: [UsernameTakenError, ValidationError, RateLimitedError],
      union: { description: 'What `signUp` answers.' },
    },
    args: { input: t.arg({ type: SignUpInput, required: true, description: 'Who signs up.' }) },
    async resolve(_root, { input }, context) {
      const signedIn = await context.services.users.signUp(input, context.address);
      signInto(context, signedIn);
      return signedIn;
    },
  }),
);

const LoginInput = builder.inputType('LoginInput', {
  description: 'What a person signs in with.',
  fields: (t) => ({
    username: t.string({ required: true, description: 'In any letter case.' }),
    password: t.string({ required: true, description: 'Their password.' }),
  }),
});

builder.mutationField('login', (t) =>
  t.field({
    type: AuthPayload,
    skipTypeScopes: true,
    description:
      'Signs a person in. An unknown user and a wrong password get the same answer in the same time.',
    errors: {
      types: [InvalidCredentialsError, RateLimitedError],
      union: { description: 'What `login` answers.' },
    },
    args: { input: t.arg({ type: LoginInput, required: true, description: 'Who signs in.' }) },
    async resolve(_root, { input }, context) {
      const signedIn = await context.services.users.login(input, context.address);
      signInto(context, signedIn);
      return signedIn;
    },
  }),
);

const UpdateProfileInput = builder.inputType('UpdateProfileInput', {
  description: 'Absent keeps; null clears `avatarUrl`.',
  fields: (t) => ({
    displayName: t.string({ description: '1 to 64 characters; null keeps, since everyone has a name.' }),
    avatarUrl: t.string({ description: 'An http or https URL of at most 2048 characters; null clears.' }),
  }),
});

const UpdateProfilePayload = builder.objectRef<UserRow>('UpdateProfilePayload').implement({
  description: 'The profile is changed.',
  fields: (t) => ({
    viewer: t.field({ type: Viewer, description: 'The viewer as changed.', resolve: (user) => user }),
  }),
});

builder.mutationField('updateProfile', (t) =>
  t.field({
    type: UpdateProfilePayload,
    description: "Changes the viewer's own profile. Messages delivered from then on show it.",
    errors: {
      types: [ValidationError, RateLimitedError],
      union: { description: 'What `updateProfile` answers.' },
    },
    args: { input: t.arg({ type: UpdateProfileInput, required: true, description: 'What changes.' }) },
    resolve: (_root, { input }, context) =>
      context.services.users.updateProfile(viewerOf(context), {
        ...(input.displayName == null ? {} : { displayName: input.displayName }),
        ...(input.avatarUrl === undefined ? {} : { avatarUrl: input.avatarUrl }),
      }),
  }),
);
