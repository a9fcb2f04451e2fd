import { randomUUID } from 'node:crypto';
import { errors, jwtVerify, SignJWT } from 'jose';
import { z } from 'zod';
import type { Authentication, TokenIssuer } from '../domain/user.js';

export interface Tokens extends TokenIssuer {
  /** Never throws: a bad token is a kind of authentication too. */
  authenticate(token: string): Promise<Authentication>;
}

type GoodAuthentication = Extract<Authentication, { kind: 'viewer' }>;

const ISSUER = 'parley';
const AUDIENCE = 'parley-api';
/** The only algorithm ever accepted: a token that names another one is not ours, whatever it is signed with. */
const ALGORITHM = 'HS256';
const MIN_SECRET_BYTES = 32;
/** Good tokens that are remembered, so that a request costs no other check of the one before it: some 5 MB. */
const MAX_CACHED_TOKENS = 10_000;

const claims = z.object({ sub: z.guid(), sid: z.guid(), exp: z.number(), jti: z.string().min(1) });

/**
 * Access tokens: JWTs with `iss`, `aud`, `sub`, `sid`, `exp` and `jti`, all required and checked.
 *
 * @throws Error where the secret is shorter than HS256 needs (RFC 7518, 3.2): 32 bytes.
 */
export function createTokens(secret: string, ttlSeconds: number): Tokens {
  const bytes = new TextEncoder().encode(secret);
  if (bytes.length < MIN_SECRET_BYTES)
    throw new Error(`The secret of access tokens needs ${MIN_SECRET_BYTES} bytes.`);
  const imported = crypto.subtle.importKey('raw', bytes, { name: 'HMAC', hash: 'SHA-256' }, false, [
    'sign',
    'verify',
  ]);
  /** By token, the oldest first. What is good stays so until it expires. */
  const remembered = new Map<string, GoodAuthentication>();

  function remember(token: string, authentication: GoodAuthentication): void {
    const [oldest] = remembered.keys();
    if (remembered.size >= MAX_CACHED_TOKENS && oldest !== undefined) remembered.delete(oldest);
    remembered.set(token, authentication);
  }

  async function check(token: string): Promise<Authentication> {
    try {
      const { payload } = await jwtVerify(token, await imported, {
        algorithms: [ALGORITHM],
        issuer: ISSUER,
        audience: AUDIENCE,
        requiredClaims: ['sub', 'sid', 'exp', 'jti'],
      });
      const { sub, sid, exp } = claims.parse(payload);
      return { kind: 'viewer', viewer: { userId: sub, sessionId: sid }, expiresAt: exp * 1000 };
    } catch (error) {
      // Only after the signature was found good does jose look at `exp`.
      return { kind: error instanceof errors.JWTExpired ? 'expired' : 'invalid' };
    }
  }

  return {
    async issue({ userId, sessionId }) {
      const issuedAt = Math.floor(Date.now() / 1000);
      const expiresAt = issuedAt + ttlSeconds;
      const token = await new SignJWT({ sid: sessionId })
        .setProtectedHeader({ alg: ALGORITHM })
        .setIssuer(ISSUER)
        .setAudience(AUDIENCE)
        .setSubject(userId)
        .setIssuedAt(issuedAt)
        .setExpirationTime(expiresAt)
        .setJti(randomUUID())
        .sign(await imported);
      return {
        token,
        sessionId,
        expiresAt: new Date(expiresAt * 1000),
        expiresInMs: expiresAt * 1000 - Date.now(),
      };
    },

    async authenticate(token) {
      const known = remembered.get(token);
      if (known && known.expiresAt > Date.now()) return known;
      remembered.delete(token);
      const authentication = await check(token);
      if (authentication.kind === 'viewer') remember(token, authentication);
      return authentication;
    },
  };
}
