import type { GraphQLSchema } from 'graphql';
import { builder } from './builder.js';
import './errors.js';
import './message.js';
import './node.js';
import './room.js';
import './room-event.js';
import './scalars.js';
import './user.js';
import './viewer.js';

/** The executable schema: each noun's file registers its types on the builder. */
export const schema: GraphQLSchema = builder.toSchema();
