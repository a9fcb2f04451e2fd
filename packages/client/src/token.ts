/** An access token, without `Bearer`; null or undefined to connect without one. */
export type Token = string | null | undefined;

/** Why a token is asked for. */
export interface TokenRequest {
  /** Whether the server refused the latest token as expired: do not return the same one from a cache. */
  readonly expired: boolean;
  /** Aborts after 30 s, when the answer is not waited for any more: pass it to `fetch`. */
  readonly signal: AbortSignal;
}

/**
 * A fixed token, or a function that is asked for each connection (and for each request over HTTP), again after the
 * server closed the connection with 4403 because the token has expired. If it rejects, or takes more than 30 s, it is
 * asked again with back-off. If it returns null after an expiry, the client is signed out.
 */
export type TokenSource = Token | ((request: TokenRequest) => Token | Promise<Token>);

/** How long the app's function may take, in ms. */
const TIMEOUT_MS = 30_000;

/** @returns the token, or null if there is none. */
export async function resolveToken(source: TokenSource, expired: boolean): Promise<string | null> {
  const signal = AbortSignal.timeout(TIMEOUT_MS);
  const token =
    typeof source === 'function'
      ? await Promise.race([
          source({ expired, signal }),
          new Promise<never>((_, reject) => {
            signal.addEventListener('abort', () => reject(signal.reason));
          }),
        ])
      : source;
  return token || null;
}
