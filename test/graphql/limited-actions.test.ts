import { randomBytes } from 'node:crypto';
import { beforeAll, expect, inject, test } from 'vitest';
import type { LimitedAction } from '../../src/domain/ports.js';
import { ACTION_LIMITS } from '../../src/redis/rate-limiter.js';
import { createRoom, type Person, type Result, signUp } from '../helpers/client.js';
import { lowerLimits } from '../helpers/lower-limits.js';
import { startParley, startSibling, type TestParley } from '../helpers/parley.js';

/** Low, because many of these calls hash a password. The unit tests of the rate limiter use the real limits. */
const POINTS = 3;

/** Has no rate limits, for preparations. */
let open: TestParley;
let limited: TestParley;
let sibling: TestParley;

/** The keys that the limits count by. Each person has their own address. */
interface Subject {
  readonly person: Person;
  readonly roomId: string;
  readonly address: string;
}

/** A call that reaches the limit of its action before any other limit. `passes`: the type of its result when allowed. */
interface Call {
  readonly field: string;
  readonly passes: string;
  readonly address?: string;
}

const newName = () => `user-${randomBytes(5).toString('hex')}`;
let addresses = 0;
const newAddress = () => {
  addresses += 1;
  return `203.0.113.${addresses}`;
};
const credentials = (username: string) => `input: { username: "${username}", password: "some password" }`;

/** Actions that every operation counts for: they have tests of their own. */
type OfEveryOperation = 'anonymousOperation' | 'operationCost';

type OfOneField = Exclude<LimitedAction, OfEveryOperation>;

const calls: Record<OfOneField, (subject: Subject) => Call> = {
  signUp: () => ({ field: `signUp(${credentials(newName())})`, passes: 'AuthPayload' }),
  loginByAddress: () => ({ field: `login(${credentials(newName())})`, passes: 'InvalidCredentialsError' }),
  findUser: ({ person }) => ({ field: `user(username: "${person.username}")`, passes: 'User' }),
  updateProfile: () => ({
    field: 'updateProfile(input: { displayName: "Another" })',
    passes: 'UpdateProfilePayload',
  }),
  createRoom: () => ({ field: 'createRoom(input: { name: "Another" })', passes: 'CreateRoomPayload' }),
  joinRoom: ({ roomId }) => ({
    field: `joinRoom(input: { roomId: "${roomId}" })`,
    passes: 'JoinRoomPayload',
  }),
  sendMessage: ({ roomId }) => ({
    field: `sendMessage(input: { roomId: "${roomId}", text: "x" })`,
    passes: 'SendMessagePayload',
  }),
};
/** Object.keys widens the keys to string. */
const actions = Object.keys(calls) as OfOneField[];

async function newSubject(): Promise<Subject> {
  const person = await signUp(open.url);
  return { person, roomId: await createRoom(person), address: newAddress() };
}

/** `passes`, `limited`, or the result itself if it is neither. */
async function outcome(
  action: OfOneField,
  subject: Subject,
  { url }: TestParley = limited,
): Promise<unknown> {
  const { field, passes, address = subject.address } = calls[action](subject);
  const response = await fetch(url, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      authorization: `Bearer ${subject.person.token}`,
      'x-forwarded-for': address,
    },
    body: JSON.stringify({
      query: `${action === 'findUser' ? 'query' : 'mutation'} { result: ${field} { __typename } }`,
    }),
  });
  // The tests check the response.
  const result = (await response.json()) as Result<{ result: { __typename: string } | null }>;
  if (result.data?.result?.__typename === passes) return 'passes';
  const isLimited =
    result.data?.result?.__typename === 'RateLimitedError' ||
    result.errors?.[0]?.extensions?.code === 'RATE_LIMITED';
  return isLimited ? 'limited' : result;
}

beforeAll(async () => {
  lowerLimits(actions, POINTS);
  const env = { RATE_LIMITS: 'on', TRUSTED_PROXIES: '1' };
  open = await startParley();
  [limited, sibling] = await Promise.all([startSibling(open, { env }), startSibling(open, { env })]);
});

test('the table has a call for every limit', () => {
  expect([...actions, 'anonymousOperation', 'operationCost'].sort()).toEqual(
    Object.keys(ACTION_LIMITS).sort(),
  );
});

test.each(actions)('%s allows calls up to its limit and rejects the next one', async (action) => {
  const [subject, other] = [await newSubject(), await newSubject()];
  for (let call = 1; call <= POINTS; call += 1) expect(await outcome(action, subject)).toBe('passes');

  expect(await outcome(action, subject)).toBe('limited');
  expect(await outcome(action, other)).toBe('passes');
  expect(await outcome(action, subject)).toBe('limited');
});

test.each(actions)(
  '%s is counted across instances if its limit is shared, and per instance otherwise',
  async (action) => {
    const subject = await newSubject();
    for (let call = 1; call <= POINTS; call += 1) await outcome(action, subject);

    const isShared = inject('pair') === 'cluster' && action !== 'sendMessage';
    expect(await outcome(action, subject, sibling)).toBe(isShared ? 'limited' : 'passes');
  },
);

test.each(actions)('%s is not limited with RATE_LIMITS=off', async (action) => {
  const subject = await newSubject();
  for (let call = 1; call <= POINTS + 1; call += 1)
    expect(await outcome(action, subject, open)).toBe('passes');
});
