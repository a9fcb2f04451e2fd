import type { Attack } from '../attack.js';
import { repeat } from '../attacker.js';

/** The statuses and codes of answers, with their numbers. */
class Tally {
  private readonly counts = new Map<string, number>();

  add({ status, text }: { readonly status: number; readonly text: string }): void {
    const code = /"code":"(\w+)"/.exec(text)?.[1];
    const name = code ?? (status === 0 ? 'no answer' : String(status));
    this.counts.set(name, (this.counts.get(name) ?? 0) + 1);
    if (code === 'INTERNAL') throw new Error(`An attack caused an unexpected error: ${text}`);
  }

  toString(): string {
    return [...this.counts].map(([name, count]) => `${count.toLocaleString('en')} × ${name}`).join(', ');
  }
}

export const nestedLists: Attack = {
  name: 'nested-lists',
  title: 'pages of 100 messages below pages of 100 messages',
  async run({ attacker, accounts: [member], roomId, durationMs }) {
    const tally = new Tally();
    const nested = (levels: number): string =>
      levels === 0 ? 'id' : `room { messages(last: 100) { nodes { ${nested(levels - 1)} } } }`;
    const query = `{ roomMessages(roomId: "${roomId}", last: 100) { nodes { ${nested(3)} } } }`;
    // As dear as it may be.
    const allowed = `{ roomMessages(roomId: "${roomId}", last: 100) { nodes { ${Array.from({ length: 40 }, (_, index) => `a${index}: text`).join(' ')} } } }`;
    await repeat(durationMs, 8, async (count) =>
      tally.add(await attacker.post({ query: count % 2 ? query : allowed }, member?.token)),
    );
    return tally.toString();
  },
};

export const dearDocuments: Attack = {
  name: 'dear-documents',
  title: 'documents that are dear to validate, each of them new, without a token',
  async run({ attacker, durationMs }) {
    const tally = new Tally();
    const bodies = [
      (n: number) => `{ ${'viewer { id } '.repeat(490)} a${n}: __typename }`,
      (n: number) => `{ viewer { ${'id '.repeat(180)} a${n}: id } }`,
      (n: number) =>
        `{ ${Array.from({ length: 45 }, (_, index) => `a${index}x${n}: __schema { types { name } }`).join(' ')} }`,
    ];
    await repeat(durationMs, 20, async (count) =>
      tally.add(await attacker.post({ query: bodies[count % bodies.length]?.(count) })),
    );
    return tally.toString();
  },
};

export const hugeAnswers: Attack = {
  name: 'huge-answers',
  title: 'aliases of long pages, whose answer would have 80 MB',
  async run({ attacker, accounts: [member], roomId, durationMs }) {
    const tally = new Tally();
    const page = (index: number) =>
      `a${index}: roomMessages(roomId: "${roomId}", last: 100) { nodes { ${Array.from({ length: 6 }, (_, each) => `t${each}: text`).join(' ')} } }`;
    const query = `{ ${Array.from({ length: 7 }, (_, index) => page(index)).join(' ')} }`;
    await repeat(durationMs, 8, async () => tally.add(await attacker.post({ query }, member?.token)));
    return tally.toString();
  },
};

export const tokenVariants: Attack = {
  name: 'token-variants',
  title: 'a valid token with blanks and padding, in many variants of 14 KB',
  async run({ attacker, accounts: [member], durationMs }) {
    const tally = new Tally();
    const token = member?.token ?? '';
    await repeat(durationMs, 8, async (count) => {
      const answer = await attacker.post(
        { query: '{ viewer { id } }' },
        `${token}${'='.repeat(count % 50)}${' '.repeat(13_000)}=`,
      );
      if (answer.text.includes('"viewer":{')) throw new Error('A variant of a token was accepted.');
      tally.add(answer);
    });
    return tally.toString();
  },
};

export const strangersMessages: Attack = {
  name: 'strangers-messages',
  title: 'a user who is not in the room sends to it, 100 at once',
  async run({ attacker, accounts, roomId, durationMs }) {
    const stranger = accounts.at(-1);
    const query = `mutation { sendMessage(input: { roomId: "${roomId}", text: "x" }) { __typename } }`;
    const types = new Map<string, number>();
    await repeat(durationMs, 100, async () => {
      const { text } = await attacker.post({ query }, stranger?.token);
      const type = /"(?:__typename|code)":"(\w+)"/.exec(text)?.[1] ?? 'no answer';
      if (type === 'SendMessagePayload') throw new Error('A stranger has sent a message.');
      types.set(type, (types.get(type) ?? 0) + 1);
    });
    return [...types].map(([type, count]) => `${count.toLocaleString('en')} × ${type}`).join(', ');
  },
};
