import { type Contestant, FLOOR, PARLEY, YOGA } from './servers.js';

/** What a crowd is put through. `flood` is a fixed rate that is meant to be hard. */
export type LoadKind = 'rate' | 'saturated' | 'flood';

/** How many subscribers there are, a socket each. */
export interface Shape {
  readonly rooms: number;
  readonly readersPerRoom: number;
}

export const room = (readersPerRoom: number): Shape => ({ rooms: 1, readersPerRoom });
export const MANY_ROOMS: Shape = { rooms: 100, readersPerRoom: 10 };
/** Of these the growth with the number of subscribers is told. */
export const GROWING: readonly number[] = [100, 1000, 2000, 5000];

/** Windows that a part of the bench is told from. */
interface Need {
  readonly shape: Shape;
  readonly kinds: readonly LoadKind[];
  readonly contestants: readonly Contestant[];
}

const OURS_AND_FLOOR = [FLOOR, PARLEY];

/** By part: what its rows need to be measured with a crowd. */
const NEEDS = {
  'rate-1000': [{ shape: room(1000), kinds: ['rate'], contestants: OURS_AND_FLOOR }],
  'rate-2000': [{ shape: room(2000), kinds: ['rate'], contestants: OURS_AND_FLOOR }],
  'rate-100': [{ shape: room(100), kinds: ['rate'], contestants: OURS_AND_FLOOR }],
  saturated: [{ shape: room(1000), kinds: ['saturated'], contestants: OURS_AND_FLOOR }],
  flood: [{ shape: room(1000), kinds: ['flood'], contestants: [PARLEY] }],
  rooms: [{ shape: MANY_ROOMS, kinds: ['saturated'], contestants: OURS_AND_FLOOR }],
  yoga: [{ shape: room(1000), kinds: ['rate', 'saturated'], contestants: [PARLEY, YOGA] }],
  idle: [],
  'sends-websocket': [],
  'sends-http': [],
  'sends-rooms': [],
  growth: GROWING.map((readers) => ({ shape: room(readers), kinds: ['rate'], contestants: [PARLEY] })),
  replay: [],
} as const satisfies Record<string, readonly Need[]>;

/** A part of the bench that can be run without the others; each has a row or two. */
export type Part = keyof typeof NEEDS;
export type SendsPart = Extract<Part, `sends-${string}`>;

// The keys of a literal are what its type says.
export const PARTS = Object.keys(NEEDS) as readonly Part[];

/**
 * The parts of a list like `rate,idle`: each name stands for the part of that name, or for all that begin with it and a
 * hyphen.
 *
 * @throws RangeError for a name that stands for none.
 */
export function parseParts(list: string): ReadonlySet<Part> {
  return new Set(
    list.split(',').flatMap((name) => {
      const meant = PARTS.filter((part) => part === name || part.startsWith(`${name}-`));
      if (meant.length === 0)
        throw new RangeError(`There is no part "${name}". There are: ${PARTS.join(', ')}.`);
      return meant;
    }),
  );
}

/** A shape of crowd, and what each server is put through with it. */
export interface Scene extends Shape {
  readonly loads: ReadonlyMap<Contestant, readonly LoadKind[]>;
}

const SHAPES: readonly Shape[] = [room(1000), room(2000), room(100), MANY_ROOMS, room(5000)];
const KINDS: readonly LoadKind[] = ['rate', 'saturated', 'flood'];

/** All that the rows of these parts need. Peers take part wherever the ordinary pipeline does. */
export function scenesOf(parts: ReadonlySet<Part>, peers: readonly Contestant[]): readonly Scene[] {
  const needs = [...parts].flatMap((part): readonly Need[] => NEEDS[part]);
  return SHAPES.flatMap((shape) => {
    const here = needs.filter((need) => isSameShape(need.shape, shape));
    const loads = [FLOOR, PARLEY, YOGA, ...peers].flatMap((contestant) => {
      const like = peers.includes(contestant) ? YOGA : contestant;
      const wanted = here.filter(({ contestants }) => contestants.includes(like));
      const kinds = KINDS.filter((kind) => wanted.some((need) => need.kinds.includes(kind)));
      return kinds.length === 0 ? [] : [[contestant, kinds] as const];
    });
    return loads.length === 0 ? [] : [{ ...shape, loads: new Map(loads) }];
  });
}

export function isSameShape(one: Shape, other: Shape): boolean {
  return one.rooms === other.rooms && one.readersPerRoom === other.readersPerRoom;
}
