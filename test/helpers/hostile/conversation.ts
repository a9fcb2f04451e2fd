import type { Dice } from '../random.js';
import { brokenFrame, type HostileFrame, textFrame } from './frames.js';
import { anyJson, brokenJson } from './json.js';
import { anyOperation, type Targets } from './operations.js';

/**
 * The id of the operation at the end of each conversation. It asks the database, as those before it do: when it is answered,
 * most of them are.
 */
export const LAST_ID = 'last';

/*
 * A violation of the protocol ends the connection, and with it what the frames after it could test. So most steps of a
 * conversation keep the connection open, and are wrong only inside of an operation.
 */
const INITIALIZED_PROBABILITY = 0.95;
const WITH_TOKEN_PROBABILITY = 0.9;
const BROKEN_FRAME_PROBABILITY = 0.04;
const BROKEN_MESSAGE_PROBABILITY = 0.03;

/** Ids that are names in JavaScript, or long, or no ASCII. Each may be used once. */
const SPECIAL_IDS = ['__proto__', 'constructor', 'toString', '\0', '\ud800', 'é'.repeat(200)] as const;
const TYPES = [
  'connection_init',
  'subscribe',
  'complete',
  'ping',
  'pong',
  'next',
  'error',
  'connection_ack',
  'start',
] as const;

/** What one connection sends. */
export interface Conversation {
  /** To be acknowledged before the other frames: operations before that would close the connection. Null: not sent. */
  readonly start: HostileFrame | null;
  readonly frames: readonly HostileFrame[];
}

/** A conversation of `length` frames, and the operation at the end. */
export function conversation(dice: Dice, targets: Targets, length: number): Conversation {
  const frame = (message: unknown) => textFrame(dice, Buffer.from(JSON.stringify(message)));
  const isInitialized = dice.chance(INITIALIZED_PROBABILITY);
  const authorization = dice.chance(WITH_TOKEN_PROBABILITY)
    ? { authorization: `Bearer ${targets.token}` }
    : {};
  const ids = idsOf(dice);
  const steps = Array.from({ length: isInitialized ? length - 1 : length }, () => {
    if (dice.chance(BROKEN_FRAME_PROBABILITY))
      return brokenFrame(dice, Buffer.from(JSON.stringify(message(dice, targets, ids))));
    if (dice.chance(BROKEN_MESSAGE_PROBABILITY)) return brokenMessage(dice, message(dice, targets, ids));
    return frame(message(dice, targets, ids));
  });
  const last = { query: '{ rooms(first: 1) { nodes { id } } }' };
  return {
    start: isInitialized ? frame({ type: 'connection_init', payload: authorization }) : null,
    frames: [...steps, frame({ type: 'subscribe', id: LAST_ID, payload: last })],
  };
}

interface Ids {
  /** An id that no operation of the connection has had. */
  fresh(): string;
  /** An id of an operation that may be in progress. */
  known(): string;
}

function idsOf(dice: Dice): Ids {
  const used: string[] = ['unknown'];
  return {
    fresh() {
      const special = dice.pick(SPECIAL_IDS);
      const id = dice.chance(0.2) && !used.includes(special) ? special : `id ${used.length}`;
      used.push(id);
      return id;
    },
    known: () => dice.pickOf(used),
  };
}

/** A message that the protocol allows at this point, most often an operation. */
function message(dice: Dice, targets: Targets, ids: Ids): object {
  if (dice.chance(0.75)) return { type: 'subscribe', id: ids.fresh(), payload: payloadOf(dice, targets) };
  return dice.pick<object>([
    { type: 'complete', id: ids.known() },
    { type: 'ping' },
    { type: 'ping', payload: { nested: anyJson(dice) } },
    { type: 'pong' },
  ]);
}

/** An operation and what belongs to it, of which some parts are wrong without breaking the protocol. */
function payloadOf(dice: Dice, targets: Targets): object {
  const operation = anyOperation(dice, targets);
  const query = dice.chance(0.05) ? brokenQuery(dice, operation.query) : operation.query;
  return {
    query,
    variables: operation.variables,
    ...(dice.chance(0.05) ? { operationName: dice.pick(['Nonsense', '__proto__', '']) } : {}),
    ...(dice.chance(0.05)
      ? { extensions: { ['__proto__']: anyJson(dice), constructor: anyJson(dice) } }
      : {}),
  };
}

export function brokenQuery(dice: Dice, query: string): string {
  const at = dice.below(query.length);
  return dice.pick([
    query.slice(0, at),
    `${query.slice(0, at)}${dice.pick(['\0', '\ud800', '{', '"', '$', '...', '\u202e', '@skip'])}${query.slice(at)}`,
    `${query}\n${query}`,
    query.replaceAll(/\$(\w+): \w+/g, '$$$1: [Int!]!'),
    query.replaceAll('{', '{ __typename @include(if: false) '),
    `subscription { ${'a '.repeat(dice.below(50))} }`,
  ]);
}

/** A message that is wrong for the protocol: it ends the connection. */
function brokenMessage(dice: Dice, valid: object): HostileFrame {
  const or = (value: unknown): unknown => (dice.chance(0.4) ? anyJson(dice) : value);
  const wrong = dice.pick<() => string>([
    () => brokenJson(dice, JSON.stringify(valid)),
    () => JSON.stringify(anyJson(dice)),
    () => JSON.stringify({ ...valid, type: or(dice.pick(TYPES)) }),
    () => JSON.stringify({ ...valid, id: or('x'.repeat(300)) }),
    () => JSON.stringify({ ...valid, payload: anyJson(dice) }),
    () => JSON.stringify(Object.fromEntries(Object.entries(valid).map(([key, value]) => [key, or(value)]))),
    () => JSON.stringify({ type: 'connection_init' }),
    // Twice the same id, both in progress.
    () => JSON.stringify({ type: 'subscribe', id: LAST_ID, payload: { query: '{ viewer { id } }' } }),
  ])();
  return textFrame(dice, Buffer.from(wrong));
}
