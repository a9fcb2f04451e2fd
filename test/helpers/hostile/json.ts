import type { Dice } from '../random.js';

/** Names that mean something to JavaScript, to the protocol or to GraphQL. */
const KEYS = [
  '__proto__',
  'constructor',
  'toString',
  'id',
  'type',
  'payload',
  'query',
  'variables',
  'length',
] as const;

const LEAVES = [
  null,
  true,
  false,
  0,
  -1,
  1e308,
  2 ** 53,
  -0.5,
  '',
  'x',
  '\0',
  '\ud800',
  '\u202e🎉',
  '__proto__',
  '9'.repeat(400),
] as const;

/** Any JSON value. */
export function anyJson(dice: Dice, depth = 3): unknown {
  if (depth === 0 || dice.chance(0.5)) return dice.pick(LEAVES);
  const count = dice.below(4);
  if (dice.chance(0.5)) return Array.from({ length: count }, () => anyJson(dice, depth - 1));
  return Object.fromEntries(Array.from({ length: count }, () => [dice.pick(KEYS), anyJson(dice, depth - 1)]));
}

/** Text that is almost JSON: cut, repeated, nested deeply, or with a key twice. */
export function brokenJson(dice: Dice, text: string): string {
  return dice.pick([
    () => text.slice(0, dice.below(text.length)),
    () => text + text,
    () => `${'['.repeat(5000)}${text}`,
    () => text.replace('{', `{"type":"ping",`),
    () => text.replaceAll('"', "'"),
    () => `\ufeff${text}`,
    () => ` \n${text}\t`,
    () => text.replace(/[a-z]/, '\u0000'),
  ] as const)();
}
