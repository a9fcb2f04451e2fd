import { bytesToUuid, uuidToBytes } from '../../domain/id.js';

/** The types that have a global id, each with the letter that its ids begin with. */
const LETTERS = { User: 'U', Viewer: 'V', Room: 'R', Message: 'M' } as const;
export type NodeType = keyof typeof LETTERS;

/** The same, by letter. */
// Object.entries widens the keys to string; they are the keys of LETTERS.
const TYPES = new Map(Object.entries(LETTERS).map(([type, letter]) => [letter as string, type as NodeType]));

/** A global id: opaque to clients, stable, and short, since every delivered message carries several. */
export function encodeGlobalId(type: NodeType, uuid: string): string {
  return LETTERS[type] + uuidToBytes(uuid).toString('base64url');
}

/** Type and row id of a global id; null where it is malformed, which callers treat like an unknown one. */
export function decodeGlobalId(globalId: string): { type: NodeType; id: string } | null {
  const type = TYPES.get(globalId.charAt(0));
  const bytes = Buffer.from(globalId.slice(1), 'base64url');
  // Node skips what is not base64url: only a text that encodes to itself again was ever ours.
  return type !== undefined && bytes.length === 16 && globalId === LETTERS[type] + bytes.toString('base64url')
    ? { type, id: bytesToUuid(bytes) }
    : null;
}

/** The row id in a global id of the given type; null where it is malformed or of another type. */
export function rowId(type: NodeType, globalId: string): string | null {
  const decoded = decodeGlobalId(globalId);
  return decoded?.type === type ? decoded.id : null;
}
