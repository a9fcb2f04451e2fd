/* Parts of the SDL's descriptions that several fields share. */

/** Describes the result union of a mutation. */
export const resultOf = (mutation: string, payload: string): string =>
  `Result of \`${mutation}\`: \`${payload}\` or an error. New errors may be added: always handle \`... on UserError\`.`;

/** For fields whose value depends on the viewer: see `dependsOnViewer` in `../sharing.ts`. */
export const PER_VIEWER =
  'For performance, select it in queries and mutations only: a subscription that selects it is executed separately for each viewer.';

/** How to resume a subscription with the standard client, for the `after` argument. */
export const RESUME_WITH_GRAPHQL_WS =
  'The graphql-ws client sends the same `variables` object again when it reconnects: update `after` in that object with every delivery, and the subscription resumes. Its options `retryAttempts: Infinity` and `shouldRetry: () => true` are necessary, or it gives up during an outage.';

/** Introduces the list of errors that end a subscription. */
export const ENDS_WITH = 'Ends with one of these errors (`extensions.code`) if it cannot start or continue:';

/** The errors that end any subscription to a room, as items of a Markdown list. */
export const ROOM_SUBSCRIPTION_ERRORS = [
  '- `FORBIDDEN`: the viewer is not, or no longer, a member of the room.',
  '- `BAD_USER_INPUT`: an argument is invalid; `extensions.argument` names it. `roomId`: the room does not exist or the viewer cannot see it. `after`: the text is not a cursor of this room that this subscription accepts.',
  '- `UNAUTHENTICATED`: the access token is missing, invalid or expired; see `extensions.reason`. Over WebSocket, an invalid token closes the socket with code 4401, and an expired one with code 4403.',
  '- `SERVICE_UNAVAILABLE`: an event could not be delivered. Subscribe again with `after` set to the last cursor.',
].join('\n');
