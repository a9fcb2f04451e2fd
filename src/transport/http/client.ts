import type { IncomingMessage } from 'node:http';
import type { Tokens } from '../../auth/tokens.js';
import type { Client } from '../../graphql/limits/admission.js';
import { authenticateHeader, authorizationOf } from '../auth.js';
import { requestIdOf } from '../request-id.js';
import type { Addresses } from './address.js';

/** Identifies the sender of an HTTP request. Never rejects for a bad token: each field decides whether it needs a viewer. */
export type ClientOf = (request: IncomingMessage) => Promise<Client>;

export function createClientOf(tokens: Tokens, addresses: Addresses): ClientOf {
  return async (request) => ({
    authentication: await authenticateHeader(tokens, authorizationOf(request)),
    address: addresses.of(request),
    requestId: requestIdOf(request),
  });
}
