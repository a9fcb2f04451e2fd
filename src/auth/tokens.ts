import { hash, randomUUID } from 'node:crypto';
import { errors, jwtVerify, SignJWT } from 'jose';
import { LRUCache } from 'lru-cache';
import { z } from 'zod';
import type { Authentication, TokenIssuer } from '../domain/user.js';

/** Issues and verifies access tokens. */
export interface Tokens extends TokenIssuer {
  /** Verifies a token. Never rejects: an invalid or expired token is reported by the result's `kind`. */
  authenticate(token: string): Promise<Authentication>;
}

type ViewerAuthentication = Extract<Authentication, { kind: 'viewer' }>;

const ISSUER = 'parley';
const AUDIENCE = 'parley-api';
/** The only accepted algorithm. Accepting the one that a token names would allow algorithm confusion attacks. */
const ALGORITHM = 'HS256';
/** HS256 requires a key of at least the size of its hash (RFC 7518, section 3.2). */
const MIN_SECRET_BYTES = 32;
/** Parley's own tokens have about 300 characters. */
const MAX_TOKEN_CHARACTERS = 4096;
/** Verified tokens that are kept, so that a client's next request does not verify its token again: about 5 MB. */
const MAX_CACHED_TOKENS = 10_000;

const claims = z.object({ sub: z.guid(), sid: z.guid(), exp: z.number(), jti: z.string().min(1) });

/**
 * Creates the issuer of access tokens: JWTs with the claims `iss`, `aud`, `sub`, `sid`, `exp` and `jti`, all of which
 * are required of a token and verified.
 *
 * @param ttlSeconds lifetime of an issued token.
 * @param isEnded whether the account of a user has ended: its tokens are no longer valid.
 * @throws Error if the secret is shorter than 32 bytes.
 */
export function createTokens(
  secret: string,
  ttlSeconds: number,
  isEnded: (userId: string) => boolean = () => false,
): Tokens {
  const bytes = new TextEncoder().encode(secret);
  if (bytes.length < MIN_SECRET_BYTES)
    throw new Error(`The secret for access tokens must be at least ${MIN_SECRET_BYTES} bytes long.`);
  const imported = crypto.subtle.importKey('raw', bytes, { name: 'HMAC', hash: 'SHA-256' }, false, [
    'sign',
    'verify',
  ]);
  // By the tokens' hashes. A verified token stays valid until it expires, or the account ends.
  const cache = new LRUCache<string, ViewerAuthentication>({ max: MAX_CACHED_TOKENS });

  async function verify(token: string): Promise<Authentication> {
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
      // jose checks `exp` only after the signature, so an expired token was once valid.
      return { kind: error instanceof errors.JWTExpired ? 'expired' : 'invalid' };
    }
  }

  async function verifyOnce(token: string): Promise<Authentication> {
    const key = hash('sha256', token, 'base64url');
    const cached = cache.get(key);
    if (cached && cached.expiresAt > Date.now()) return cached;
    cache.delete(key);
    if (!isCanonical(token)) return { kind: 'invalid' };
    const authentication = await verify(token);
    if (authentication.kind === 'viewer') cache.set(key, authentication);
    return authentication;
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
      if (token.length > MAX_TOKEN_CHARACTERS) return { kind: 'invalid' };
      const authentication = await verifyOnce(token);
      const isOfEnded = authentication.kind === 'viewer' && isEnded(authentication.viewer.userId);
      return isOfEnded ? { kind: 'invalid' } : authentication;
    },
  };
}

/** Whether each part is base64url as RFC 7515 requires: decoders accept blanks, padding and other final bits, too. */
function isCanonical(token: string): boolean {
  return token.split('.').every((part) => Buffer.from(part, 'base64url').toString('base64url') === part);
}
