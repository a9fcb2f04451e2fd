import type { User as UserRow } from '../../domain/user.js';
import { viewerOf } from '../context.js';
import { builder } from './builder.js';

export const User = builder.node(builder.objectRef<UserRow>('User'), {
  description: 'A person, as others see them.',
  id: { resolve: ({ id }) => id },
  loadWithoutCache: (id, { loaders }) => loaders.user.load(id),
  fields: (t) => ({
    username: t.exposeString('username', {
      description: 'The name to sign in and be found with; unique in any letter case.',
    }),
    displayName: t.exposeString('displayName', { description: 'The name to show.' }),
    avatarUrl: t.exposeString('avatarUrl', {
      nullable: true,
      description: 'An http or https URL of a picture.',
    }),
    createdAt: t.expose('createdAt', { type: 'DateTime', description: 'When they signed up.' }),
  }),
});

builder.queryField('user', (t) =>
  t.field({
    type: User,
    nullable: true,
    description: 'By exact username, in any letter case; signed-in viewers only, rate-limited.',
    args: {
      username: t.arg.string({ required: true, description: 'The whole username, in any letter case.' }),
    },
    resolve: (_root, { username }, context) =>
      context.services.users.findByUsername(viewerOf(context), username),
  }),
);
