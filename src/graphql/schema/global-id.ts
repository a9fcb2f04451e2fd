import { bytesToUuid, uuidToBytes } from '../../domain/id.js';

/** The types that have a global id, each with the letter that its ids begin with. */
const LETTERS = { User: 'U', Viewer: 'V', Room: 'R', Message: 'M' } as const;
export type NodeType = keyof typeof LETTERS;

// Object.keys widens the keys to string.
const NODE_TYPES = Object.keys(LETTERS) as NodeType[];
const TYPES_BY_LETTER = new Map<string, NodeType>(NODE_TYPES.map((type) => [LETTERS[type], type]));

/** @throws Error for a type that has no global id. */
export function nodeType(name: string): NodeType {
  const type = NODE_TYPES.find((each) => each === name);
  if (!type) throw new Error(`${name} has no letter for its global ids.`);
  return type;
}

/** A global id: opaque to clients, stable, and short, since every delivered message carries several. */
export function encodeGlobalId(type: NodeType, uuid: string): string {
  return LETTERS[type] + uuidToBytes(uuid).toString('base64url');
}

/** Type and row id of a global id; null where it is malformed, which callers treat like an unknown one. */
export function decodeGlobalId(globalId: string): { typename: NodeType; id: string } | null {
  const typename = TYPES_BY_LETTER.get(globalId.charAt(0));
  const bytes = Buffer.from(globalId.slice(1), 'base64url');
  // Node skips what is not base64url: only a text that encodes to itself again was ever ours.
  return typename !== undefined &&
    bytes.length === 16 &&
    globalId === LETTERS[typename] + bytes.toString('base64url')
    ? { typename, id: bytesToUuid(bytes) }
    : null;
}

/** The row id in a global id of the given type; null where it is malformed or of another type. */
export function rowId(type: NodeType, globalId: string): string | null {
  const decoded = decodeGlobalId(globalId);
  return decoded?.typename === type ? decoded.id : null;
}
