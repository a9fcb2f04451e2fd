/** @import { Fetcher, FetcherOptions, GraphQLRequest, GraphQLResult, Headers } from './graphiql.js' */
/** @import { OperationDefinitionNode } from 'graphql' */
import { authorize, rememberAccessToken } from './authorization.js';
import { createSubscriber } from './subscriber.js';

/**
 * Replaces the fetcher of Yoga's bundle, whose WebSocket never sends the content of the Headers pane.
 *
 * @param {URL} endpoint
 * @returns {{ fetcher: Fetcher, onEditHeaders: (text: string) => void }}
 */
export function createFetcher(endpoint) {
  const { subscribe, onEditHeaders } = createSubscriber(endpoint);

  /**
   * Sends a query or mutation as POST.
   *
   * @param {GraphQLRequest} request
   * @param {Headers} headers
   * @returns {Promise<GraphQLResult>}
   */
  async function post(request, headers) {
    const response = await fetch(endpoint, {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        accept: 'application/graphql-response+json, application/json',
        ...authorize(headers),
      },
      body: JSON.stringify(request),
    });
    const body = await response.text();
    try {
      const result = JSON.parse(body);
      rememberAccessToken(result);
      return result;
    } catch {
      return { errors: [{ message: `HTTP ${response.status}: ${body || response.statusText}` }] };
    }
  }

  return {
    fetcher(request, { headers = {}, documentAST } = {}) {
      const operation = operationOf(request, documentAST);
      if (operation?.operation !== 'subscription') return post(request, headers);
      const isResumable = operation.variableDefinitions?.some(
        ({ variable }) => variable.name.value === 'after',
      );
      return subscribe(request, headers, isResumable ?? false);
    },
    onEditHeaders,
  };
}

/**
 * @param {GraphQLRequest} request
 * @param {FetcherOptions['documentAST']} document
 * @returns {OperationDefinitionNode | undefined} the operation that is to run; the first one if the request names none.
 */
function operationOf({ operationName }, document) {
  return document?.definitions
    .filter((definition) => definition.kind === 'OperationDefinition')
    .find(({ name }) => !operationName || name?.value === operationName);
}
