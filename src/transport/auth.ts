import type { IncomingMessage } from 'node:http';
import type { Tokens } from '../auth/tokens.js';
import type { Authentication } from '../domain/user.js';

const MISSING: Authentication = { kind: 'missing' };
const INVALID: Authentication = { kind: 'invalid' };

/** Authenticates by the `Authorization` header. Several are invalid, since Node would silently use the first. */
export async function authenticateRequest(tokens: Tokens, request: IncomingMessage): Promise<Authentication> {
  const { rawHeaders } = request;
  let count = 0;
  for (let index = 0; index < rawHeaders.length; index += 2)
    if (rawHeaders[index]?.toLowerCase() === 'authorization') count += 1;
  if (count === 0) return MISSING;
  return count === 1 ? authenticateBearer(tokens, request.headers.authorization) : INVALID;
}

/**
 * Authenticates by the payload of `connection_init`: `authorization: "Bearer …"` (the key in any letter case), `authToken`
 * or `token`. An empty value counts as missing, as apps send one before their user has signed in.
 */
export async function authenticateConnection(
  tokens: Tokens,
  params: Readonly<Record<string, unknown>> = {},
): Promise<Authentication> {
  const entries = Object.entries(params).filter(([, value]) => value != null && value !== '');
  const header = entries.find(([name]) => name.toLowerCase() === 'authorization');
  if (header) return authenticateBearer(tokens, header[1]);
  const bare = entries.find(([name]) => name === 'authToken' || name === 'token');
  if (!bare) return MISSING;
  const token = bare[1];
  if (typeof token !== 'string') return INVALID;
  return tokens.authenticate(token.replace(BEARER, ''));
}

const BEARER = /^bearer +/i;

async function authenticateBearer(tokens: Tokens, value: unknown): Promise<Authentication> {
  return typeof value === 'string' && BEARER.test(value)
    ? tokens.authenticate(value.replace(BEARER, '').trim())
    : INVALID;
}
