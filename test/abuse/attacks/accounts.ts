import { setTimeout as sleep } from 'node:timers/promises';
import type { Attack } from '../attack.js';
import { createAttacker, repeat } from '../attacker.js';

const login = (username: string, password: string) => ({
  query: 'mutation ($input: LoginInput!) { login(input: $input) { __typename } }',
  variables: { input: { username, password } },
});
const PASSWORD = 'correct horse battery';

export const guessedPasswords: Attack = {
  name: 'guessed-passwords',
  title: '50 addresses guess the password of one user',
  async run({ target, bystander, durationMs, scale }) {
    const { url } = target.instance;
    const addresses = Array.from(
      { length: scale === 'full' ? 50 : 10 },
      (_, index) => `127.0.1.${index + 1}`,
    );
    const attackers = addresses.map((address) => createAttacker(url, address));
    let [checked, refused] = [0, 0];
    const guessing = repeat(durationMs, attackers.length, async (count) => {
      const attacker = attackers[count % attackers.length];
      const { text } = (await attacker?.post(login(bystander.username, `guess ${count}`))) ?? { text: '' };
      if (text.includes('InvalidCredentialsError')) checked += 1;
      else refused += 1;
      await sleep(50);
    });
    await sleep(durationMs / 2);
    const start = performance.now();
    const { text } = await createAttacker(url, '127.0.2.1').post(login(bystander.username, PASSWORD));
    const took = performance.now() - start;
    if (!text.includes('AuthPayload')) throw new Error(`The owner could not log in: ${text}`);
    await guessing;
    for (const attacker of attackers) attacker.close();
    return `${checked} guesses checked, ${refused} refused; the owner logged in within ${took.toFixed(0)} ms`;
  },
};

export const oneNetwork: Attack = {
  name: 'one-network',
  title: '110 wrong logins from the addresses of one IPv6 /64, behind a proxy, for as many usernames',
  async run({ target, attacker }) {
    const behindProxy = await target.environment.start({ RATE_LIMITS: 'on', TRUSTED_PROXIES: '1' });
    const client = createAttacker(behindProxy.url, attacker.address);
    const spellings = [
      (host: string) => host,
      (host: string) => `[${host}]:4711`,
      (host: string) => `[${host}]`,
    ];
    let checked = 0;
    for (let index = 0; index < 110; index += 1) {
      const address = spellings[index % spellings.length]?.(`2001:db8::${index.toString(16)}`);
      const { text } = await client.post(login(`nobody${index}`, PASSWORD), undefined, [
        `x-forwarded-for: ${address}`,
      ]);
      if (text.includes('InvalidCredentialsError')) checked += 1;
      else if (!text.includes('RateLimitedError')) throw new Error(`An unexpected answer: ${text}`);
    }
    await behindProxy.shutDown();
    if (checked > 100) throw new Error(`${checked} logins were checked, more than one address may try.`);
    return `${checked} logins checked, ${110 - checked} refused`;
  },
};

export const signUps: Attack = {
  name: 'sign-ups',
  title: '300 sign-ups at once',
  async run({ target, attacker, bystander }) {
    const query = 'mutation ($input: SignUpInput!) { signUp(input: $input) { __typename } }';
    let created = 0;
    const all = Array.from({ length: 300 }, async (_, index) => {
      const input = { username: `signup_${process.pid}_${index}`, password: PASSWORD };
      const { text } = await attacker.post({ query, variables: { input } });
      if (text.includes('AuthPayload')) created += 1;
    });
    await sleep(100);
    const start = performance.now();
    const { text } = await createAttacker(target.instance.url, '127.0.2.1').post(
      login(bystander.username, PASSWORD),
    );
    const took = performance.now() - start;
    if (!text.includes('AuthPayload')) throw new Error(`Someone else could not log in: ${text}`);
    if (took > 2000) throw new Error(`Someone else's login took ${took.toFixed(0)} ms.`);
    await Promise.all(all);
    return `${created} accounts; someone else logged in within ${took.toFixed(0)} ms`;
  },
};
