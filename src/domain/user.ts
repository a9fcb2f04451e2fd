import {
  BadUserInputError,
  InvalidCredentialsError,
  RateLimitedError,
  UnauthenticatedError,
  UsernameTakenError,
} from './errors.js';
import { newId } from './id.js';
import type { LoginThrottle, RateLimiter } from './ports.js';
import { nameIssues } from './text/names.js';
import { passwordIssues, preparePassword } from './text/password.js';
import { assertValid, avatarUrlIssues, TEXT_RULES, textIssues } from './text/text.js';
import { isPossibleUsername, prepareUsername, usernameIssues, usernameKey } from './text/username.js';

export interface User {
  readonly id: string;
  readonly username: string;
  readonly displayName: string;
  readonly avatarUrl: string | null;
  readonly createdAt: Date;
}

/** The authenticated user of a request, from a verified access token. */
export interface Viewer {
  readonly userId: string;
  readonly sessionId: string;
}

/** The result of verifying a request's credentials. `expiresAt` is in milliseconds since 1970. */
export type Authentication =
  | { readonly kind: 'viewer'; readonly viewer: Viewer; readonly expiresAt: number }
  | { readonly kind: 'missing' | 'invalid' | 'expired' }
  /** The credentials do not contain an access token; `expected` says how to send one. */
  | { readonly kind: 'malformed'; readonly expected: string };

/** @throws UnauthenticatedError if the credentials are missing or invalid, or have expired since they were verified. */
export function requireViewer(authentication: Authentication): Viewer {
  if (authentication.kind === 'malformed') throw new UnauthenticatedError('INVALID', authentication.expected);
  if (authentication.kind !== 'viewer')
    throw new UnauthenticatedError(
      ({ missing: 'MISSING', invalid: 'INVALID', expired: 'EXPIRED' } as const)[authentication.kind],
    );
  if (authentication.expiresAt <= Date.now()) throw new UnauthenticatedError('EXPIRED');
  return authentication.viewer;
}

export interface AccessToken {
  readonly token: string;
  readonly sessionId: string;
  readonly expiresAt: Date;
  readonly expiresInMs: number;
}

export interface SignedIn {
  readonly user: User;
  readonly accessToken: AccessToken;
}

export interface UserStore {
  /**
   * Returns null if the username is taken, in any letter case, or if it has characters beyond ASCII and looks like
   * another one. One of several calls at once for such usernames succeeds.
   */
  create(user: {
    id: string;
    username: string;
    displayName: string;
    passwordHash: string;
  }): Promise<User | null>;
  findByUsername(username: string): Promise<{ user: User; passwordHash: string } | null>;
  findByIds(ids: readonly string[]): Promise<User[]>;
  /** Replaces a hash, unless it has changed meanwhile. */
  replacePasswordHash(id: string, from: string, to: string): Promise<void>;
  update(id: string, change: { displayName?: string; avatarUrl?: string | null }): Promise<ChangedProfile>;
  /** Ends an account: nobody can use it again, or take its username. Returns the user's id; null if there is none. Idempotent. */
  end(username: string): Promise<string | null>;
  /** The ids of the users whose accounts have ended since then. */
  findEnded(since: Date): Promise<string[]>;
}

/**
 * Hashes passwords with Argon2id, outside the event loop. Only a few run at once: the addresses take turns, and logins go
 * before sign-ups.
 */
export interface PasswordHasher {
  /** Hashes a new password. @throws RateLimitedError if too many wait. */
  hash(password: string, address: string): Promise<string>;
  /**
   * False for a null hash too, after the same work, so that the response time does not reveal whether a user exists.
   *
   * @throws RateLimitedError if too many wait.
   */
  verify(hash: string | null, password: string, address: string): Promise<boolean>;
  /** Whether a hash took less work than new ones do. */
  isWeak(hash: string): boolean;
}

export interface TokenIssuer {
  issue(viewer: Viewer): Promise<AccessToken>;
}

/** A user's profile, and when it was changed, by the clock of the database. */
export interface ChangedProfile {
  readonly user: User;
  readonly changedAt: Date;
}

/** An absent field is kept; null clears it. */
export interface ProfileChange {
  readonly displayName?: string;
  readonly avatarUrl?: string | null;
}

export interface UserServices {
  readonly users: UserStore;
  readonly passwords: PasswordHasher;
  readonly tokens: TokenIssuer;
  readonly limits: RateLimiter;
  readonly throttle: LoginThrottle;
  readonly onProfileChange: (profile: ChangedProfile) => void;
  /** Called with each new user before `signUp` returns: joins them to the lobby. */
  readonly onSignUp: (user: User) => Promise<void>;
}

export function createUsers({
  users,
  passwords,
  tokens,
  limits,
  throttle,
  onProfileChange,
  onSignUp,
}: UserServices) {
  async function signedIn(user: User): Promise<SignedIn> {
    return { user, accessToken: await tokens.issue({ userId: user.id, sessionId: newId() }) };
  }

  async function upgrade(userId: string, from: string, prepared: string, address: string): Promise<void> {
    await users.replacePasswordHash(userId, from, await passwords.hash(prepared, address));
  }

  /**
   * Verifies a password in its prepared form, then as it was typed, as older releases have hashed it. A hash of an older
   * release is then replaced.
   */
  async function verify(
    found: { readonly user: User; readonly passwordHash: string } | null,
    password: string,
    address: string,
  ): Promise<boolean> {
    const hash = found?.passwordHash ?? null;
    const prepared = preparePassword(password);
    const matches = await passwords.verify(hash, prepared, address);
    // How much work a refusal is depends on the input only.
    const matchesAsTyped = prepared !== password && (await passwords.verify(hash, password, address));
    if (!found || !(matches || matchesAsTyped)) return false;
    // If this fails, the next login does it: this one has succeeded.
    if (!matches || passwords.isWeak(found.passwordHash))
      await upgrade(found.user.id, found.passwordHash, prepared, address).catch(() => {});
    return true;
  }

  return {
    /**
     * Creates a user and signs them in.
     *
     * @param address the client's address, for the rate limit.
     * @throws ValidationError, UsernameTakenError, RateLimitedError
     */
    async signUp(
      input: { username: string; password: string; displayName?: string | null | undefined },
      address: string,
    ): Promise<SignedIn> {
      const username = prepareUsername(input.username);
      const displayName = input.displayName?.trim() ?? username;
      assertValid(
        usernameIssues(username, TEXT_RULES.username),
        passwordIssues(input.password, TEXT_RULES.password),
        input.displayName == null ? [] : nameIssues('displayName', displayName, TEXT_RULES.displayName),
      );
      await limits.consume('signUp', address);
      const passwordHash = await passwords.hash(preparePassword(input.password), address);
      const user = await users.create({ id: newId(), username, displayName, passwordHash });
      if (!user) throw new UsernameTakenError();
      await onSignUp(user);
      return signedIn(user);
    },

    /**
     * Signs a user in. A wrong password and an unknown user get the same response in the same time: both verify one hash.
     *
     * @throws InvalidCredentialsError, RateLimitedError
     */
    async login(input: { username: string; password: string }, address: string): Promise<SignedIn> {
      await limits.consume('loginByAddress', address);
      // No user has an invalid name, and it must not become a rate limit key of unbounded length.
      const isValid = isPossibleUsername(input.username.normalize('NFC'), TEXT_RULES.username);
      const attempt = { usernameKey: isValid ? usernameKey(input.username) : '', address };
      await throttle.count(attempt);
      const found = isValid ? await users.findByUsername(input.username) : null;
      const matches = await verify(found, input.password, address).catch(async (error: unknown) => {
        if (error instanceof RateLimitedError) await throttle.takeBack(attempt);
        throw error;
      });
      if (!found || !matches) throw new InvalidCredentialsError();
      await throttle.reset(attempt);
      return signedIn(found.user);
    },

    /** Changes the viewer's profile. @throws ValidationError, RateLimitedError */
    async updateProfile(viewer: Viewer, change: ProfileChange): Promise<User> {
      const displayName = change.displayName?.trim();
      assertValid(
        displayName === undefined ? [] : nameIssues('displayName', displayName, TEXT_RULES.displayName),
        typeof change.avatarUrl === 'string' ? avatarUrlIssues(change.avatarUrl) : [],
      );
      await limits.consume('updateProfile', viewer.userId);
      const changed = await users.update(viewer.userId, {
        ...(displayName === undefined ? {} : { displayName }),
        ...(change.avatarUrl === undefined ? {} : { avatarUrl: change.avatarUrl }),
      });
      onProfileChange(changed);
      return changed.user;
    },

    /**
     * Finds a user by their exact username, in any letter case; null if there is none.
     *
     * @throws RateLimitedError; BadUserInputError if the username contains characters that no text may contain.
     */
    async findByUsername(viewer: Viewer, username: string): Promise<User | null> {
      const [invalid] = textIssues('username', username, { min: 0, max: Infinity, form: 'line' });
      if (invalid) throw new BadUserInputError('username', invalid.message);
      await limits.consume('findUser', viewer.userId);
      if (!isPossibleUsername(username.normalize('NFC'), TEXT_RULES.username)) return null;
      return (await users.findByUsername(username))?.user ?? null;
    },
  };
}

export type Users = ReturnType<typeof createUsers>;
