import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { launchChromium } from '../helpers/chromium.js';
import { createRoom, send, signUp } from '../helpers/client.js';
import { startParley } from '../helpers/parley.js';
import { startBackend } from '../helpers/recipes/backend.js';
import { runInChromium } from '../helpers/recipes/run-in-chromium.js';

/* `useRoom` in components that change; docs/clients/react.md is run by recipes.embedded.test.ts. */

vi.setConfig({ testTimeout: 60_000, hookTimeout: 300_000 });
const WAIT = { timeout: 20_000, interval: 50 };

let browser: Browser;
beforeAll(async () => {
  browser = await launchChromium();
});
afterAll(() => browser?.close());

/** Two lists, which show the next room at a click on "Older", and disappear after the last one. */
const app = (roomIds: readonly string[]): string => `
  import { createParleyClient } from 'parley-client';
  import { useRoom } from 'parley-client/react';
  import { parse } from 'graphql';
  import { StrictMode, useState } from 'react';
  import { createRoot } from 'react-dom/client';

  const client = createParleyClient({ url: 'http://localhost:4000/graphql', token: currentToken });
  const ROOM_IDS = ${JSON.stringify(roomIds)};

  function List({ roomId }) {
    // Parsed at each render, as careless components do.
    const { messages, error } = useRoom(client, roomId, { message: parse('fragment Type on Message { type }') });
    if (error) return <li>{error.code}</li>;
    return messages.map(({ key, text }) => <li key={key}>{text}</li>);
  }

  function App() {
    const [index, setIndex] = useState(0);
    const roomId = ROOM_IDS[index];
    return (
      <>
        <button onClick={() => setIndex(index + 1)}>Older</button>
        {roomId && <ol><List roomId={roomId} /></ol>}
        {roomId && <ol><List roomId={roomId} /></ol>}
      </>
    );
  }

  createRoot(document.getElementById('root')).render(<StrictMode><App /></StrictMode>);
`;

test('should show the room that it is given last, and leave nothing open', async () => {
  const parley = await startParley();
  const alice = await signUp(parley.url);
  const rooms = await Promise.all(['one', 'two', 'three'].map((name) => createRoom(alice, name)));
  for (const [index, roomId] of rooms.entries()) await send(alice, roomId, `in room ${index + 1}`);
  const page = await runInChromium(browser, {
    recipe: {
      name: 'rooms',
      language: 'tsx',
      code: app([...rooms, 'R00000000000000000000AA']),
      isComplete: false,
    },
    backend: await startBackend(),
    url: parley.url,
    roomId: rooms[0] ?? '',
    after: '',
    currentToken: async () => alice.token,
    speed: 1,
  });
  await expect.poll(page.screen, WAIT).toEqual(['in room 1', 'in room 1']);
  await expect.poll(() => page.reported.subscriptions, WAIT).toBe(2);

  // Two changes at once: the second room is left before its page arrives.
  await page.pageUp();
  await page.pageUp();
  await expect.poll(page.screen, WAIT).toEqual(['in room 3', 'in room 3']);
  await send(alice, rooms[0] ?? '', 'too late');
  await send(alice, rooms[2] ?? '', 'live');
  await expect.poll(page.screen, WAIT).toEqual(['in room 3', 'live', 'in room 3', 'live']);
  await expect.poll(() => page.reported.subscriptions, WAIT).toBe(2);

  await page.pageUp();
  await expect.poll(page.screen, WAIT).toEqual(['NOT_FOUND', 'NOT_FOUND']);
  await page.pageUp();
  await expect.poll(page.screen, WAIT).toEqual([]);
  await expect.poll(() => page.reported.subscriptions, WAIT).toBe(0);
  expect(page.reported.errors).toEqual([]);
  await page.stop();
});
