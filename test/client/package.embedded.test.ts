import { execFile } from 'node:child_process';
import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { build, preview } from 'vite';
import { beforeAll, expect, test } from 'vitest';
import { packClient } from '../../scripts/pack-client.js';
import { launchChromium } from '../helpers/chromium.js';
import { createRoom, page, send, signUp } from '../helpers/client.js';
import { startParley } from '../helpers/parley.js';
import { recipe } from '../helpers/recipes/published.js';
import { temporaryFolder } from '../helpers/temporary-folder.js';

const run = promisify(execFile);
const modules = fileURLToPath(new URL('../../node_modules', import.meta.url));
const readme = readFileSync(new URL('../../packages/client/README.md', import.meta.url), 'utf8');

/** An empty project that has installed the package as `npm publish` would make it. */
let project: string;

beforeAll(async () => {
  project = temporaryFolder('client-package').path;
  const tarball = packClient(project);
  writeFileSync(
    join(project, 'package.json'),
    JSON.stringify({ name: 'app', private: true, type: 'module' }),
  );
  // Without a network: what it depends on comes from here.
  const links = [
    'graphql',
    'graphql-ws',
    'ws',
    '@apollo/client',
    '@urql/core',
    '@urql/exchange-graphcache',
    'react',
    'react-dom',
  ].map((name) => join(modules, name));
  await run('npm', ['install', '--offline', '--no-audit', '--no-fund', tarball, ...links], { cwd: project });
  mkdirSync(join(project, 'node_modules/@types'), { recursive: true });
  for (const name of ['node', 'ws', 'react'])
    symlinkSync(join(modules, '@types', name), join(project, 'node_modules/@types', name));
}, 120_000);

async function compile(files: readonly string[], options: object): Promise<void> {
  const compilerOptions = {
    strict: true,
    noEmit: true,
    lib: ['es2023', 'dom'],
    types: ['node'],
    jsx: 'react-jsx',
    ...options,
  };
  writeFileSync(join(project, 'tsconfig.json'), JSON.stringify({ compilerOptions, files }));
  const { stdout } = await run(process.execPath, [join(modules, 'typescript/bin/tsc')], {
    cwd: project,
  }).catch(
    // Its output is on stdout, which the message of the error leaves out.
    (error: { stdout: string }) => error,
  );
  expect(stdout).toBe('');
}

test.each([
  ['Node', { module: 'nodenext', target: 'es2023' }],
  ['a bundler', { module: 'esnext', moduleResolution: 'bundler', target: 'es2023' }],
  ['exact optional properties', { module: 'nodenext', target: 'es2023', exactOptionalPropertyTypes: true }],
])(
  'the README compiles with `strict` for %s',
  async (_, options) => {
    const matches = [...readme.matchAll(/^```(tsx?)\n(.*?)^```$/gms)];
    const blocks = matches.map(([, , block = '']) => block);
    expect(blocks.length).toBeGreaterThanOrEqual(5);
    const write = (block: string): string => {
      const index = blocks.indexOf(block);
      const file = `readme-${index}.${matches[index]?.[1]}`;
      writeFileSync(join(project, file), block);
      return file;
    };
    const forOthers = blocks.filter((block) => /'@apollo\/client'|'@urql\//.test(block));
    expect(forOthers).toHaveLength(2);

    await compile(blocks.filter((block) => !forOthers.includes(block)).map(write), options);
    // The declarations of these clients do not compile with all of the options.
    await compile(forOthers.map(write), { ...options, skipLibCheck: true });
  },
  60_000,
);

test('wrong variables and fields do not compile', async () => {
  const [, second = ''] = [...readme.matchAll(/^```ts\n(.*?)^```$/gms)].map(([, block = '']) => block);
  const mistakes = ['{ room: roomId }', '{}', '{ roomId: 1 }'].map(
    (variables) =>
      `// @ts-expect-error\nclient.subscribe(MESSAGE_ADDED, ${variables}, { next() {}, error() {} });`,
  );
  writeFileSync(
    join(project, 'mistakes.ts'),
    `${second}
${mistakes.join('\n')}
// @ts-expect-error
await client.query(ROOM_MESSAGES);
// @ts-expect-error
for await (const { messageRemoved } of client.subscribe(MESSAGE_ADDED, { roomId })) messageRemoved;
for await (const { messageAdded } of client.subscribe(MESSAGE_ADDED, { roomId })) messageAdded.node.seq.toFixed();
`,
  );

  await compile(['mistakes.ts'], { module: 'nodenext', target: 'es2023' });
}, 60_000);

test('the installed package runs in a plain project', async () => {
  const parley = await startParley();
  const alice = await signUp(parley.url);
  const roomId = await createRoom(alice);
  await send(alice, roomId, 'one');
  const { liveCursor } = await page(alice, roomId, { first: 0 });
  writeFileSync(
    join(project, 'app.js'),
    `import { parse } from 'graphql';
import { createParleyClient } from 'parley-client';
import { http } from 'parley-client/http';
import WebSocket from 'ws';

const [url, token, roomId, after] = process.argv.slice(2);
const client = createParleyClient({ url, token, requests: http, webSocket: WebSocket });
const send = parse(\`mutation ($input: SendMessageInput!) {
  sendMessage(input: $input) { ... on SendMessagePayload { edge { node { seq } } } }
}\`);
const { sendMessage } = await client.mutate(send, { input: { roomId, text: 'two', clientMessageId: 'a' } });
const live = parse(\`subscription ($roomId: ID!, $after: String) {
  messageAdded(roomId: $roomId, after: $after) { cursor node { seq text } }
}\`);
const texts = [];
for await (const { messageAdded } of client.subscribe(live, { roomId, after })) {
  texts.push(messageAdded.node.text);
  if (messageAdded.node.seq === sendMessage.edge.node.seq) break;
}
client.dispose();
console.log(texts.join());
`,
  );

  // It ends by itself, so nothing is left open.
  const { stdout } = await run(process.execPath, ['app.js', parley.url, alice.token, roomId, liveCursor], {
    cwd: project,
    timeout: 10_000,
  });
  expect(stdout.trim()).toBe('one,two');
});

test('a production build by Vite of the React recipe runs with the installed package', async () => {
  const parley = await startParley();
  const alice = await signUp(parley.url);
  const roomId = await createRoom(alice);
  await send(alice, roomId, 'one');
  const app = join(project, 'vite-app');
  mkdirSync(app);
  const globals = { roomId, token: alice.token };
  writeFileSync(
    join(app, 'index.html'),
    `<!doctype html>
<title>App</title>
<div id="root"></div>
<script>
  const { roomId, token } = ${JSON.stringify(globals)};
  const currentToken = async () => token;
  const showError = console.error;
</script>
<script type="module" src="/main.tsx"></script>
`,
  );
  writeFileSync(
    join(app, 'main.tsx'),
    recipe('react').code.replaceAll('localhost:4000', new URL(parley.url).host),
  );
  await build({ root: app, configFile: false, logLevel: 'warn', build: { outDir: 'dist' } });
  const server = await preview({ root: app, configFile: false, logLevel: 'warn', preview: { port: 0 } });
  const browser = await launchChromium();
  try {
    const tab = await browser.newPage();
    await tab.goto(server.resolvedUrls?.local[0] ?? '');
    await expect.poll(() => tab.locator('li').allTextContents(), { timeout: 20_000 }).toEqual(['one']);
    await send(alice, roomId, 'two');
    await expect.poll(() => tab.locator('li').allTextContents(), { timeout: 20_000 }).toEqual(['one', 'two']);
  } finally {
    await browser.close();
    await server.close();
  }
}, 120_000);
