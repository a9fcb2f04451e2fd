import { randomUUID } from 'node:crypto';
import { errors, jwtVerify, SignJWT } from 'jose';
import { z } from 'zod';
import type { TokenIssuer } from '../domain/ports.js';
import type { Authentication } from '../domain/user.js';

export interface Tokens extends TokenIssuer {
  /** Never throws: a bad token is a kind of authentication too. */
  authenticate(token: string): Promise<Authentication>;
}

const ISSUER = 'parley';
const AUDIENCE = 'parley-api';
/** The only algorithm ever accepted: a token that names another one is not ours, whatever it is signed with. */
const ALGORITHM = 'HS256';
const LEAST_SECRET_BYTES = 32;

const claims = z.object({ sub: z.guid(), sid: z.guid(), exp: z.number(), jti: z.string().min(1) });

/**
 * Access tokens: JWTs with `iss`, `aud`, `sub`, `sid`, `exp` and `jti`, all required and checked.
 *
 * @throws Error where the secret is shorter than HS256 needs (RFC 7518, 3.2): 32 bytes.
 */
export function createTokens(secret: string, ttlSeconds: number): Tokens {
  const key = new TextEncoder().encode(secret);
  if (key.length < LEAST_SECRET_BYTES)
    throw new Error(`The secret of access tokens needs ${LEAST_SECRET_BYTES} bytes.`);
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
        .sign(key);
      return {
        token,
        sessionId,
        expiresAt: new Date(expiresAt * 1000),
        expiresInMs: expiresAt * 1000 - Date.now(),
      };
    },

    async authenticate(token) {
      try {
        const { payload } = await jwtVerify(token, key, {
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
    },
  };
}
