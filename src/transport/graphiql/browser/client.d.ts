/** The server adds the client of graphql-ws to the page's own modules, under this name. */
export { createClient } from 'graphql-ws';
