/**
 * Prepares a password by the profile OpaqueString of RFC 8265: every space becomes U+0020, and composed and decomposed
 * letters are the same, so that it does not matter which keyboard or system a password is typed on.
 */
export function preparePassword(password: string): string {
  return password.replace(/\p{Zs}/gu, ' ').normalize('NFC');
}
