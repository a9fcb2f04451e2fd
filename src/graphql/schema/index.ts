import { assertInterfaceType, type GraphQLSchema } from 'graphql';
import { protectRootFields } from './access.js';
import { builder } from './builder.js';
import './errors.js';
import { encodeGlobalId, nodeType } from './global-id.js';
import './message.js';
import './room.js';
import './room-event.js';
import './scalars.js';
import './user.js';
import './viewer.js';

/** Introduces the API in the documentation that tools such as GraphiQL show. Markdown. */
const DESCRIPTION = `\
Parley is a chat server. It delivers every message once, in order, to every member of a room, across reconnects.

1. Sign up with \`signUp\`, or sign in with \`login\`. Send the \`accessToken\` with every request, in the header \`Authorization: Bearer <accessToken>\`; over WebSocket, in \`connectionParams\`.
2. List the rooms of the viewer with \`viewer\`. Create a room with \`createRoom\`, or join one with \`joinRoom\`.
3. Read a page of the history with \`roomMessages\`. Subscribe to \`messageAdded\` with the page's \`liveCursor\` as \`after\`: the subscription continues the page without a gap or a duplicate. \`roomEvents\` also delivers changes of older messages.
4. Send a message with \`sendMessage\`. With a \`clientMessageId\`, a retry never stores the message twice.
5. After a disconnect, subscribe again with the \`cursor\` of the last event received as \`after\`.`;

/** The executable schema: each noun's file registers its types on the builder. */
export const schema: GraphQLSchema = builder.toSchema();
schema.description = DESCRIPTION;
protectRootFields(schema);
encodeIdsSynchronously(schema);

/**
 * The relay plugin resolves `id` in an async function. One such field makes graphql-js wait for every event, which
 * costs a third more CPU time, so ids are encoded by a synchronous resolver instead.
 */
function encodeIdsSynchronously(built: GraphQLSchema): void {
  for (const type of built.getPossibleTypes(assertInterfaceType(built.getType('Node')))) {
    const name = nodeType(type.name);
    const { id } = type.getFields();
    if (id) id.resolve = (row: { readonly id: string }) => encodeGlobalId(name, row.id);
  }
}
