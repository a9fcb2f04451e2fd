import type { IncomingMessage } from 'node:http';
import type { Tokens } from '../../auth/tokens.js';
import type { Client } from '../../graphql/pipeline.js';
import { authenticateRequest } from '../auth.js';
import { clientAddress } from './address.js';

/** Who sends an HTTP request, and from where. A bad token makes a client too: the operation decides whether that matters. */
export type ClientOf = (request: IncomingMessage) => Promise<Client>;

export function createClientOf(tokens: Tokens, trustedProxies: number): ClientOf {
  return async (request) => ({
    authentication: await authenticateRequest(tokens, request),
    address: clientAddress(request, trustedProxies),
  });
}
