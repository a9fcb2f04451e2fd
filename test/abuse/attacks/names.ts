import { setTimeout as sleep } from 'node:timers/promises';
import { signUp } from '../../helpers/client.js';
import type { Attack } from '../attack.js';

const PASSWORD = 'correct horse battery';
const SIGN_UP = `mutation ($input: SignUpInput!) {
  signUp(input: $input) { __typename ... on ValidationError { issues { code } } }
}`;

/** Cyrillic letters that look like the Latin ones of `scope`, as does their whole name. */
const CYRILLIC: Readonly<Record<string, string>> = { s: 'ѕ', c: 'с', o: 'о', p: 'р', e: 'е' };

export const lookAlikes: Attack = {
  name: 'look-alikes',
  title: 'sign-ups with names that look like an existing one',
  async run({ target, attacker, durationMs }) {
    const { url } = target.instance;
    // An attack may run more than once on one server.
    const name = Array.from({ length: 12 }, () => 'scope'[Math.floor(Math.random() * 5)]).join('');
    await signUp(url, name);
    const cyrillic = name.replace(/./g, (letter) => CYRILLIC[letter] ?? letter);
    const usernames = [
      ...['\ufe0f', '\u034f', '\u3164', '\u200b', '\u00ad', '\u{e0061}', '\u0337'].map((mark) => name + mark),
      `${cyrillic.slice(0, 1)}${name.slice(1)}`,
      cyrillic,
      name.toUpperCase(),
      name.replace(/./g, (letter) => String.fromCodePoint(letter.charCodeAt(0) + 0xfee0)),
    ];
    const displayNames = ['\u202eenoemos', '\u200b', '\u2800', 'a\u2066b'];
    const inputs = [
      ...usernames.map((username) => ({ username, password: PASSWORD })),
      ...displayNames.map((displayName, index) => ({
        username: `${name}${index}`,
        password: PASSWORD,
        displayName,
      })),
    ];
    for (const input of inputs) {
      await sleep(durationMs / inputs.length);
      const { text } = await attacker.post({ query: SIGN_UP, variables: { input } });
      if (!/ValidationError|UsernameTakenError/.test(text))
        throw new Error(`${JSON.stringify(input)} was not refused: ${text}`);
    }
    return `${inputs.length} refused`;
  },
};
