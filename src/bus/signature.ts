import { createHmac, timingSafeEqual } from 'node:crypto';

/** Signs JSON objects with a key that only the instances of one deployment have. */
export interface Signer {
  /** Adds the member `mac` to the text of a JSON object that is not empty. */
  sign(json: string): string;
  /** Checks the member `mac`, which must be the last one. Without it, the text may be of an earlier release. */
  verify(text: string): 'signed' | 'unsigned' | 'forged';
}

const HEAD = ',"mac":"';
/** SHA-256 in base64url. */
const MAC_CHARACTERS = 43;
const TAIL = '"}';
const SUFFIX_CHARACTERS = HEAD.length + MAC_CHARACTERS + TAIL.length;

export function createSigner(key: Buffer): Signer {
  const suffixOf = (json: string): string =>
    `${HEAD}${createHmac('sha256', key).update(json).digest('base64url')}${TAIL}`;
  return {
    sign: (json) => `${json.slice(0, -1)}${suffixOf(json)}`,
    verify(text) {
      const start = text.length - SUFFIX_CHARACTERS;
      if (start < 0 || !text.startsWith(HEAD, start)) return 'unsigned';
      const suffix = Buffer.from(text.slice(start));
      const expected = Buffer.from(suffixOf(`${text.slice(0, start)}}`));
      return suffix.length === expected.length && timingSafeEqual(suffix, expected) ? 'signed' : 'forged';
    },
  };
}
