import { FLOOR, FLOOR_TWICE, PARLEY, PARLEY_TWICE, type Target, YOGA } from './servers/targets.js';

/**
 * How messages are sent: at a fixed rate of deliveries, with a constant number of messages in flight, or at a fixed rate that
 * is hard to sustain.
 */
export type LoadKind = 'rate' | 'saturated' | 'flood';

/** The number of subscribers, each of which has its own socket. */
export interface Shape {
  readonly rooms: number;
  readonly subscribersPerRoom: number;
}

export const room = (subscribersPerRoom: number): Shape => ({ rooms: 1, subscribersPerRoom });
export const MANY_ROOMS: Shape = { rooms: 100, subscribersPerRoom: 10 };
/** The room sizes at which the growth of CPU per delivery is measured. */
export const GROWTH_SIZES: readonly number[] = [100, 1000, 2000, 5000];

/** Windows that a part of the bench needs. */
interface Requirement {
  readonly shape: Shape;
  readonly kinds: readonly LoadKind[];
  readonly targets: readonly Target[];
}

const PARLEY_AND_FLOOR = [FLOOR, PARLEY];

/** The windows with subscribers that the rows of each part need. */
const REQUIREMENTS = {
  'rate-1000': [{ shape: room(1000), kinds: ['rate'], targets: PARLEY_AND_FLOOR }],
  'rate-2000': [{ shape: room(2000), kinds: ['rate'], targets: PARLEY_AND_FLOOR }],
  'rate-100': [{ shape: room(100), kinds: ['rate'], targets: PARLEY_AND_FLOOR }],
  saturated: [{ shape: room(1000), kinds: ['saturated'], targets: PARLEY_AND_FLOOR }],
  flood: [
    { shape: room(1000), kinds: ['flood'], targets: [PARLEY] },
    // One pass of the floor over all subscribers is the measure of the time in the server.
    { shape: room(1000), kinds: ['saturated'], targets: [FLOOR] },
  ],
  instances: [{ shape: room(1000), kinds: ['rate'], targets: [FLOOR, FLOOR_TWICE, PARLEY, PARLEY_TWICE] }],
  rooms: [{ shape: MANY_ROOMS, kinds: ['saturated'], targets: PARLEY_AND_FLOOR }],
  yoga: [{ shape: room(1000), kinds: ['rate', 'saturated'], targets: [PARLEY, YOGA] }],
  idle: [],
  'sends-websocket': [],
  'sends-http': [],
  'sends-rooms': [],
  growth: GROWTH_SIZES.map((subscribers) => ({
    shape: room(subscribers),
    kinds: ['rate'],
    targets: [PARLEY],
  })),
  replay: [],
  burst: [],
  restart: [],
  snapshot: [],
  outage: [],
  watch: [],
  heads: [],
} as const satisfies Record<string, readonly Requirement[]>;

/** A part of the bench that can be run alone; each has one or two rows. */
export type Part = keyof typeof REQUIREMENTS;
export type SendsPart = Extract<Part, `sends-${string}`>;

// The type of the literal lists all of its keys.
export const PARTS = Object.keys(REQUIREMENTS) as readonly Part[];

/**
 * Parses a list of parts such as `rate,idle`. A name selects the part of that name, and all parts whose name starts with it
 * and a hyphen.
 *
 * @throws RangeError if a name selects no part.
 */
export function parseParts(list: string): ReadonlySet<Part> {
  return new Set(
    list.split(',').flatMap((name) => {
      const selected = PARTS.filter((part) => part === name || part.startsWith(`${name}-`));
      if (selected.length === 0)
        throw new RangeError(`There is no part "${name}". There are: ${PARTS.join(', ')}.`);
      return selected;
    }),
  );
}

/** A number of rooms and subscribers, and the loads that each server is measured under with them. */
export interface Workload extends Shape {
  readonly loads: ReadonlyMap<Target, readonly LoadKind[]>;
}

const SHAPES: readonly Shape[] = [room(1000), room(2000), room(100), MANY_ROOMS, room(5000)];
const KINDS: readonly LoadKind[] = ['rate', 'saturated', 'flood'];

/** The workloads that the rows of these parts need. Peers take part wherever the ordinary pipeline does. */
export function workloadsOf(parts: ReadonlySet<Part>, peers: readonly Target[]): readonly Workload[] {
  const required = [...parts].flatMap((part): readonly Requirement[] => REQUIREMENTS[part]);
  return SHAPES.flatMap((shape) => {
    const requiredHere = required.filter((one) => isSameShape(one.shape, shape));
    const loads = [FLOOR, PARLEY, FLOOR_TWICE, PARLEY_TWICE, YOGA, ...peers].flatMap((target) => {
      const role = peers.includes(target) ? YOGA : target;
      const applicable = requiredHere.filter(({ targets }) => targets.includes(role));
      const kinds = KINDS.filter((kind) => applicable.some(({ kinds }) => kinds.includes(kind)));
      return kinds.length === 0 ? [] : [[target, kinds] as const];
    });
    return loads.length === 0 ? [] : [{ ...shape, loads: new Map(loads) }];
  });
}

export function isSameShape(one: Shape, other: Shape): boolean {
  return one.rooms === other.rooms && one.subscribersPerRoom === other.subscribersPerRoom;
}
