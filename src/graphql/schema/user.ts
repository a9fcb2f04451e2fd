import type { User as UserRow } from '../../domain/user.js';
import { viewerOf } from '../context.js';
import { builder } from './builder.js';

export const User = builder.node(builder.objectRef<UserRow>('User'), {
  description: 'Public profile of a user.',
  id: { resolve: ({ id }) => id },
  loadWithoutCache: (id, { loaders }) => loaders.user.load(id),
  fields: (t) => ({
    username: t.exposeString('username', {
      description: 'Name used to log in and to look up the user. Unique, ignoring letter case.',
    }),
    displayName: t.exposeString('displayName', { description: 'Name to display. Not unique.' }),
    avatarUrl: t.exposeString('avatarUrl', {
      nullable: true,
      description:
        'URL (http or https) of a picture of the user. Null if none is set. Set by the user and not verified by the server.',
    }),
    createdAt: t.expose('createdAt', {
      type: 'DateTime',
      description: 'Identifies the date and time when the user signed up.',
    }),
  }),
});

builder.queryField('user', (t) =>
  t.field({
    type: User,
    nullable: true,
    description:
      'Looks up a user by username. Null if there is no such user. Rate limited: if the limit is reached, null with `RATE_LIMITED` in `errors`, and the time to wait, in milliseconds, in `extensions.retryAfterMs`.',
    args: {
      username: t.arg.string({ required: true, description: 'The complete username, in any letter case.' }),
    },
    resolve: (_root, { username }, context) =>
      context.work.read(() => context.services.users.findByUsername(viewerOf(context), username)),
  }),
);
