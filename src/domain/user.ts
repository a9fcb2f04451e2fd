import {
  BadUserInputError,
  InvalidCredentialsError,
  UnauthenticatedError,
  UsernameTakenError,
  type ValidationIssue,
} from './errors.js';
import { newId } from './id.js';
import type { RateLimiter } from './ports.js';
import { assertValid, textIssues } from './text.js';

export interface User {
  readonly id: string;
  readonly username: string;
  readonly displayName: string;
  readonly avatarUrl: string | null;
  readonly createdAt: Date;
}

/** Who asks: a user, known by a checked access token. */
export interface Viewer {
  readonly userId: string;
  readonly sessionId: string;
}

/** What a request's credentials are worth. `expiresAt`: milliseconds since 1970. */
export type Authentication =
  | { readonly kind: 'viewer'; readonly viewer: Viewer; readonly expiresAt: number }
  | { readonly kind: 'missing' | 'invalid' | 'expired' };

/** @throws UnauthenticatedError where the credentials are missing, bad, or have expired since they were checked. */
export function requireViewer(authentication: Authentication): Viewer {
  if (authentication.kind !== 'viewer')
    throw new UnauthenticatedError(
      ({ missing: 'MISSING', invalid: 'INVALID', expired: 'EXPIRED' } as const)[authentication.kind],
    );
  if (authentication.expiresAt <= Date.now()) throw new UnauthenticatedError('EXPIRED');
  return authentication.viewer;
}

/** An access token and until when it is good. */
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
  /** Null where the username is taken, in any letter case. */
  create(user: {
    id: string;
    username: string;
    displayName: string;
    passwordHash: string;
  }): Promise<User | null>;
  findByUsername(username: string): Promise<{ user: User; passwordHash: string } | null>;
  findByIds(ids: readonly string[]): Promise<User[]>;
  update(id: string, change: { displayName?: string; avatarUrl?: string | null }): Promise<User>;
}

/** Hashes with Argon2id, off the event loop. */
export interface PasswordHasher {
  hash(password: string): Promise<string>;
  /** False for a null hash too, after the same work: no one learns from the time whether a user exists. */
  verify(hash: string | null, password: string): Promise<boolean>;
}

export interface TokenIssuer {
  issue(viewer: Viewer): Promise<AccessToken>;
}

/** Absent keeps; null clears. */
export interface ProfileChange {
  readonly displayName?: string;
  readonly avatarUrl?: string | null;
}

export interface UserServices {
  readonly users: UserStore;
  readonly passwords: PasswordHasher;
  readonly tokens: TokenIssuer;
  readonly limits: RateLimiter;
  /** Called with everyone who signs up, before they are told: joins them to the lobby. */
  readonly onSignUp: (user: User) => Promise<void>;
}

const PASSWORD = { min: 8, max: 128, form: 'text' } as const;
const DISPLAY_NAME = { min: 1, max: 64, form: 'line' } as const;
const AVATAR_URL = { min: 1, max: 2048, form: 'line' } as const;
const USERNAME_LENGTH = { min: 3, max: 32, form: 'line' } as const;
const USERNAME_CHARACTERS = /^[\p{L}\p{M}\p{N}_.-]*$/u;

/**
 * The form in which usernames are compared: without case and in one Unicode normal form.
 * Lower, upper and again lower case comes close to Unicode's full case folding, which JavaScript lacks: `ß` equals `SS`
 * by its upper case, and `ẞ` equals `ß` by its lower case.
 */
export function usernameKey(username: string): string {
  return username.normalize('NFKC').toLowerCase().toUpperCase().toLowerCase().normalize('NFKC');
}

export function createUsers({ users, passwords, tokens, limits, onSignUp }: UserServices) {
  async function signedIn(user: User): Promise<SignedIn> {
    return { user, accessToken: await tokens.issue({ userId: user.id, sessionId: newId() }) };
  }

  return {
    /**
     * @param address where the request comes from, for the rate limit.
     * @throws ValidationError, UsernameTakenError, RateLimitedError
     */
    async signUp(
      input: { username: string; password: string; displayName?: string | null | undefined },
      address: string,
    ): Promise<SignedIn> {
      const username = input.username.normalize('NFC');
      const displayName = input.displayName?.trim() ?? username;
      assertValid(
        usernameIssues(username),
        textIssues('password', input.password, PASSWORD),
        input.displayName == null ? [] : textIssues('displayName', displayName, DISPLAY_NAME),
      );
      await limits.consume('signUp', address);
      const passwordHash = await passwords.hash(input.password);
      const user = await users.create({ id: newId(), username, displayName, passwordHash });
      if (!user) throw new UsernameTakenError();
      await onSignUp(user);
      return signedIn(user);
    },

    /**
     * A wrong password and an unknown user get the same answer in the same time: both verify one hash.
     *
     * @throws InvalidCredentialsError, RateLimitedError (per username and per address)
     */
    async login(input: { username: string; password: string }, address: string): Promise<SignedIn> {
      await limits.consume('loginByAddress', address);
      // A name that can't be one has no row and no counter: it must not become a key of unbounded length.
      const valid = usernameIssues(input.username.normalize('NFC')).length === 0;
      if (valid) await limits.consume('loginByUsername', usernameKey(input.username));
      const found = valid ? await users.findByUsername(input.username) : null;
      const matches = await passwords.verify(found?.passwordHash ?? null, input.password);
      if (!found || !matches) throw new InvalidCredentialsError();
      await limits.reset('loginByUsername', usernameKey(input.username));
      return signedIn(found.user);
    },

    /** @throws ValidationError, RateLimitedError */
    async updateProfile(viewer: Viewer, change: ProfileChange): Promise<User> {
      const displayName = change.displayName?.trim();
      assertValid(
        displayName === undefined ? [] : textIssues('displayName', displayName, DISPLAY_NAME),
        typeof change.avatarUrl === 'string' ? avatarUrlIssues(change.avatarUrl) : [],
      );
      await limits.consume('updateProfile', viewer.userId);
      return users.update(viewer.userId, {
        ...(displayName === undefined ? {} : { displayName }),
        ...(change.avatarUrl === undefined ? {} : { avatarUrl: change.avatarUrl }),
      });
    },

    /**
     * By exact username, in any letter case; null where there is none.
     *
     * @throws RateLimitedError, BadUserInputError where it holds what no text of ours can
     */
    async findByUsername(viewer: Viewer, username: string): Promise<User | null> {
      const [unusable] = textIssues('username', username, { min: 0, max: Infinity, form: 'line' });
      if (unusable) throw new BadUserInputError('username', unusable.message);
      await limits.consume('findUser', viewer.userId);
      if (usernameIssues(username.normalize('NFC')).length > 0) return null;
      return (await users.findByUsername(username))?.user ?? null;
    },
  };
}

export type Users = ReturnType<typeof createUsers>;

function usernameIssues(username: string): ValidationIssue[] {
  const issues = textIssues('username', username, USERNAME_LENGTH);
  const invalid = issues.some((issue) => issue.code === 'INVALID_CHARACTER');
  if (!invalid && !USERNAME_CHARACTERS.test(username))
    issues.push({
      field: 'username',
      code: 'INVALID_CHARACTER',
      message: '`username` may hold letters and digits of any script, and _ . -',
    });
  return issues;
}

function avatarUrlIssues(avatarUrl: string): ValidationIssue[] {
  const issues = textIssues('avatarUrl', avatarUrl, AVATAR_URL);
  const web = URL.canParse(avatarUrl) && ['http:', 'https:'].includes(new URL(avatarUrl).protocol);
  if (issues.length === 0 && !web)
    issues.push({
      field: 'avatarUrl',
      code: 'INVALID_FORMAT',
      message: '`avatarUrl` must be an http or https URL.',
    });
  return issues;
}
