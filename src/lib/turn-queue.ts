/** After this many turns of earlier classes, a later class that waits has a turn. */
const TURNS_BEFORE_LATER_CLASS = 3;

/** Items of one class: by key, each key's in order of arrival. The order of the keys is their rotation. */
type Rotation<Item> = Map<string, Set<Item>>;

/**
 * Items that wait, in classes. Within a class the keys take turns, however many items each of them has. Earlier classes go
 * first, but a later one is never starved.
 */
export class TurnQueue<Item> {
  private readonly rotations: Rotation<Item>[];
  /** Turns since each class had one while it waited. */
  private readonly skipped: number[];
  /** Number of items. */
  size = 0;

  constructor(classes = 1) {
    this.rotations = Array.from({ length: classes }, () => new Map());
    this.skipped = this.rotations.map(() => 0);
  }

  add(priority: number, key: string, item: Item): void {
    const rotation = this.rotationOf(priority);
    const items = rotation.get(key);
    if (items) items.add(item);
    else rotation.set(key, new Set([item]));
    this.size += 1;
  }

  has(priority: number, key: string, item: Item): boolean {
    return this.rotationOf(priority).get(key)?.has(item) === true;
  }

  delete(priority: number, key: string, item: Item): void {
    const rotation = this.rotationOf(priority);
    const items = rotation.get(key);
    if (!items?.delete(item)) return;
    this.size -= 1;
    if (items.size === 0) rotation.delete(key);
  }

  /** Removes and returns the item whose turn it is; undefined if there is none whose key is allowed. */
  next(isAllowed: (key: string) => boolean = () => true): Item | undefined {
    if (this.size === 0) return undefined;
    if (this.rotations.length === 1) return this.take(0, isAllowed);
    for (const priority of this.order()) {
      const item = this.take(priority, isAllowed);
      if (item === undefined) continue;
      for (const [other, rotation] of this.rotations.entries())
        this.skipped[other] = other === priority || rotation.size === 0 ? 0 : (this.skipped[other] ?? 0) + 1;
      return item;
    }
    return undefined;
  }

  /** Removes and returns the items whose turns are next, all of them or up to a number. */
  takeAll(max = this.size): Item[] {
    const taken: Item[] = [];
    for (let item = this.next(); item !== undefined; item = this.next()) {
      taken.push(item);
      if (taken.length >= max) break;
    }
    return taken;
  }

  /** The newest item of the key that has the most items, in the last class that has any; undefined if there are none. */
  newestOfLongest(): Item | undefined {
    const rotation = this.rotations.findLast(({ size }) => size > 0);
    let longest: Set<Item> = new Set();
    for (const items of rotation?.values() ?? []) if (items.size >= longest.size) longest = items;
    return [...longest].at(-1);
  }

  /** The classes in the order in which they are asked for the next item. */
  private order(): number[] {
    const classes = [...this.rotations.keys()];
    const starved = this.skipped.findLastIndex((turns) => turns >= TURNS_BEFORE_LATER_CLASS);
    return starved > 0 ? [starved, ...classes] : classes;
  }

  private take(priority: number, isAllowed: (key: string) => boolean): Item | undefined {
    const rotation = this.rotationOf(priority);
    for (const [key, items] of rotation) {
      if (!isAllowed(key)) continue;
      for (const item of items) {
        this.delete(priority, key, item);
        // The key goes to the end of the rotation.
        if (items.size > 0) {
          rotation.delete(key);
          rotation.set(key, items);
        }
        return item;
      }
    }
    return undefined;
  }

  private rotationOf(priority: number): Rotation<Item> {
    const rotation = this.rotations[priority];
    if (!rotation) throw new RangeError(`There is no class ${priority}.`);
    return rotation;
  }
}
