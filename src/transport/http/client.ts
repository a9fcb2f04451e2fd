import type { IncomingMessage } from 'node:http';
import type { Tokens } from '../../auth/tokens.js';
import type { Client } from '../../graphql/pipeline.js';
import { authenticateHeader, authorizationOf } from '../auth.js';
import { clientAddress } from './address.js';

/** Identifies the sender of an HTTP request. Never rejects for a bad token: each field decides whether it needs a viewer. */
export type ClientOf = (request: IncomingMessage) => Promise<Client>;

export function createClientOf(tokens: Tokens, trustedProxies: number): ClientOf {
  return async (request) => ({
    authentication: await authenticateHeader(tokens, authorizationOf(request)),
    address: clientAddress(request, trustedProxies),
  });
}
