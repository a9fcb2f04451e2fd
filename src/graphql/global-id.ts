import { bytesToUuid, uuidToBytes } from '../domain/id.js';

/** The types that have a global id, each with the letter that its ids begin with. */
const LETTERS = { User: 'U', Viewer: 'V', Room: 'R', Message: 'M' } as const;
export type NodeType = keyof typeof LETTERS;

/** A global id: opaque to clients, stable, and short, since every delivered message carries several. */
export function encodeGlobalId(type: NodeType, uuid: string): string {
  return LETTERS[type] + Buffer.from(uuidToBytes(uuid)).toString('base64url');
}

/** Type and row id of a global id; null where it is malformed, which callers treat like an unknown one. */
export function decodeGlobalId(globalId: string): { type: NodeType; id: string } | null {
  const bytes = Buffer.from(globalId.slice(1), 'base64url');
  for (const [type, letter] of Object.entries(LETTERS))
    if (bytes.length === 16 && globalId === letter + bytes.toString('base64url'))
      // Object.entries widens the keys to string; they are the keys of LETTERS.
      return { type: type as NodeType, id: bytesToUuid(bytes) };
  return null;
}

/** The row id in a global id of the given type; null where it is malformed or of another type. */
export function rowId(type: NodeType, globalId: string): string | null {
  const decoded = decodeGlobalId(globalId);
  return decoded?.type === type ? decoded.id : null;
}
