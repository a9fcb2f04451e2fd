import type { IncomingMessage } from 'node:http';
import type { Tokens } from '../auth/tokens.js';
import type { Authentication } from '../domain/user.js';

/*
 * Access tokens as clients send them. Each may have the prefix `Bearer`, in any letter case, and be in quotes. An empty
 * value counts as missing, as apps send one before their user has signed in.
 */

const MISSING: Authentication = { kind: 'missing' };
const MALFORMED: Authentication = {
  kind: 'malformed',
  expected:
    'The credentials do not contain an access token: send the accessToken of `login` or `signUp` once, as `Authorization: Bearer <accessToken>`, or over WebSocket as `authorization`, `accessToken`, `authToken` or `token` in connectionParams.',
};

/** The value of an `Authorization` header: a list if it was sent several times, undefined if not at all. */
export type AuthorizationHeader = string | readonly string[] | undefined;

/** Node itself would silently use the first of several headers. */
export function authorizationOf({ rawHeaders, headers }: IncomingMessage): AuthorizationHeader {
  if (headers.authorization === undefined) return undefined;
  const values: string[] = [];
  for (let index = 0; index < rawHeaders.length; index += 2)
    if (rawHeaders[index]?.toLowerCase() === 'authorization') values.push(rawHeaders[index + 1] ?? '');
  return values.length > 1 ? values : headers.authorization;
}

/** Authenticates by the `Authorization` header. Several are malformed. */
export function authenticateHeader(tokens: Tokens, header: AuthorizationHeader): Promise<Authentication> {
  return authenticate(tokens, header);
}

/** Names of members of `connection_init`'s payload that may hold the token, in lower case and by precedence. */
const PARAMS = ['authorization', 'accesstoken', 'authtoken', 'token'];

/**
 * Authenticates by the payload of `connection_init`: `authorization`, `accessToken`, `authToken` or `token`, in any letter
 * case, or `headers` with a member `authorization`.
 */
export function authenticateConnection(
  tokens: Tokens,
  params: Readonly<Record<string, unknown>> = {},
): Promise<Authentication> {
  const { headers } = params;
  return authenticate(tokens, memberOf(params, PARAMS) ?? memberOf(headers, ['authorization']));
}

/** The first member with one of the names that is not empty. */
function memberOf(object: unknown, names: readonly string[]): unknown {
  if (typeof object !== 'object' || object === null) return undefined;
  const entries = Object.entries(object).filter(([, value]) => !isEmpty(value));
  for (const name of names) {
    const entry = entries.find(([key]) => key.toLowerCase() === name);
    if (entry) return entry[1];
  }
  return undefined;
}

/** The three parts of a JWT, with what clients put around them. Linear in the length of the text. */
const TOKEN = /^[\s"']*(?:bearer[\s"']+)*([\w-]+\.[\w-]+\.[\w-]+)[\s"']*$/i;

async function authenticate(tokens: Tokens, value: unknown): Promise<Authentication> {
  if (isEmpty(value)) return MISSING;
  const [, token] = (typeof value === 'string' && TOKEN.exec(value)) || [];
  return token === undefined ? MALFORMED : tokens.authenticate(token);
}

function isEmpty(value: unknown): boolean {
  return value == null || (typeof value === 'string' && /^[\s"']*$/.test(value));
}
