import { bytesToUuid, uuidToBytes } from '../../domain/id.js';

/** The types with global ids, each with the letter that starts its ids. */
const TYPE_PREFIXES = { User: 'U', Viewer: 'V', Room: 'R', Message: 'M' } as const;
export type NodeType = keyof typeof TYPE_PREFIXES;

// Object.keys widens the keys to string.
const NODE_TYPES = Object.keys(TYPE_PREFIXES) as NodeType[];
const TYPES_BY_PREFIX = new Map<string, NodeType>(NODE_TYPES.map((type) => [TYPE_PREFIXES[type], type]));

/** @throws Error if the type has no global ids. */
export function nodeType(name: string): NodeType {
  const type = NODE_TYPES.find((each) => each === name);
  if (!type) throw new Error(`${name} has no letter for its global ids.`);
  return type;
}

/** Encodes a global id: opaque to clients, stable, and short, because every delivered message contains several. */
export function encodeGlobalId(type: NodeType, uuid: string): string {
  return TYPE_PREFIXES[type] + uuidToBytes(uuid).toString('base64url');
}

/** Returns the type and row id of a global id; null if it is malformed, which callers treat like an unknown id. */
export function decodeGlobalId(globalId: string): { typename: NodeType; id: string } | null {
  const typename = TYPES_BY_PREFIX.get(globalId.charAt(0));
  const bytes = Buffer.from(globalId.slice(1), 'base64url');
  // `Buffer.from` ignores characters outside base64url, so only an id that encodes to itself again is valid.
  return typename !== undefined &&
    bytes.length === 16 &&
    globalId === TYPE_PREFIXES[typename] + bytes.toString('base64url')
    ? { typename, id: bytesToUuid(bytes) }
    : null;
}

/** Returns the row id of a global id; null if the id is malformed or of another type. */
export function rowId(type: NodeType, globalId: string): string | null {
  const decoded = decodeGlobalId(globalId);
  return decoded?.typename === type ? decoded.id : null;
}
