import type { IncomingMessage } from 'node:http';

export const GRAPHQL_PATH = '/graphql';

/** The path of a request, without its query. */
export function pathOf(request: IncomingMessage): string {
  return request.url?.split('?')[0] ?? '';
}
