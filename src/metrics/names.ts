/** Names of operations that have a series of their own. Clients choose them, so their number must have a bound. */
const MAX_NAMES = 100;
const MAX_CHARACTERS = 100;
const OTHER = 'other';

/** Creates a function that returns the label for an operation's name: itself for the first 100, `other` for the rest. */
export function createNames(): (name: string | null) => string {
  const known = new Set<string>();
  return (name) => {
    if (name === null) return '';
    if (known.has(name)) return name;
    if (known.size >= MAX_NAMES || name.length > MAX_CHARACTERS) return OTHER;
    known.add(name);
    return name;
  };
}
