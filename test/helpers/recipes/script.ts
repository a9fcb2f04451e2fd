import { setTimeout as sleep } from 'node:timers/promises';
import type { Browser } from 'playwright-core';
import { createTokens } from '../../../src/auth/tokens.js';
import { at, createRoom, joinRoom, type Person, page as readPage, send, signUp } from '../client.js';
import type { Backend } from './backend.js';
import type { Recipe } from './published.js';
import { type RecipePage, runInChromium } from './run-in-chromium.js';
import { judgeScreen, type ScreenVerdict } from './screen.js';

/** The servers that the script uses, and breaks. */
export interface World {
  /** The instance that the pages are connected to, as `http://HOST:PORT/graphql`. */
  readonly url: string;
  /** Another one, which keeps running. */
  readonly otherUrl: string;
  readonly jwtSecret: string;
  /** Stops the first instance. */
  stop(): Promise<void>;
  /** Starts it again on the same port, and waits until it is ready. */
  start(): Promise<void>;
}

export interface ScriptOptions {
  readonly browser: Browser;
  readonly backend: Backend;
  readonly recipes: readonly Recipe[];
  readonly world: World;
  readonly outageMs: number;
  /** The tokens' lifetime: at least one expires during the outage. */
  readonly tokenSeconds: number;
  /** How much faster the timers of the recipes run. */
  readonly speed: number;
}

/** What a recipe has shown, in one of its tabs. */
export interface ScriptResult extends ScreenVerdict {
  readonly name: string;
  /** All messages of its room. */
  readonly expected: number;
  readonly errors: readonly string[];
  /** The number of times that its screen changed. */
  readonly states: number;
  /** Own messages that were not shown until they were stored. */
  readonly notOptimistic: readonly string[];
  /** Subscriptions that were open at the end. */
  readonly subscriptions: number;
}

const STORED = 120;
const PAGE_SIZE = 50;
const SENT_IN_OUTAGE = 60;
const WAIT_MS = 40_000;

/** Issues tokens with a short lifetime. */
export async function shortLivedTokens(secret: string, seconds: number, { token }: Person) {
  const tokens = createTokens(secret, seconds);
  const known = await tokens.authenticate(token);
  if (known.kind !== 'viewer') throw new Error('A token that was just issued must be good');
  let lastExpiry = 0;
  return {
    /** When the last of the tokens so far expires. */
    lastExpiry: () => lastExpiry,
    async issue(): Promise<string> {
      const { token: issued, expiresAt } = await tokens.issue(known.viewer);
      lastExpiry = expiresAt.getTime();
      return issued;
    },
  };
}

/** A recipe with its room. */
async function openStage(options: ScriptOptions, recipe: Recipe) {
  const { browser, backend, world, tokenSeconds, speed } = options;
  const [alice, bob] = [await signUp(world.url), await signUp(world.url)];
  const roomId = await createRoom(alice);
  await joinRoom(bob, roomId);
  /** All messages in `seq` order; the first is that of Bob's joining, which has no text. */
  const expected = [''];
  /** What was typed into each tab. */
  const typed: { readonly tab: RecipePage; readonly text: string }[] = [];
  const type = async (tab: RecipePage, text: string): Promise<void> => {
    typed.push({ tab, text });
    await tab.send(text);
  };
  const sendAll = async (url: string, ...texts: string[]): Promise<void> => {
    for (const text of texts) {
      await send(at(url, bob), roomId, text);
      expected.push(text);
    }
  };
  await sendAll(world.url, ...numbered('stored', STORED - 1));
  const { liveCursor: after } = await readPage(alice, roomId);
  const tokens = await shortLivedTokens(world.jwtSecret, tokenSeconds, alice);
  const page = await runInChromium(browser, {
    recipe,
    backend,
    url: world.url,
    roomId,
    after,
    currentToken: tokens.issue,
    speed,
  });
  return {
    page,
    tokens,
    expected,
    typed,
    isComplete: recipe.isComplete,
    /** Sends as the person in front of the screen. */
    type,
    /** Sends as another member. */
    sendAll,
    /** The same, and waits until the message is stored. */
    async sendOwn(tab: RecipePage, text: string): Promise<void> {
      await type(tab, text);
      await until(`${recipe.name} stores ${text}`, async () => {
        const { edges } = await readPage(at(world.otherUrl, alice), roomId, { last: 1 });
        return edges[0]?.node.text === text;
      });
      expected.push(text);
    },
    /** Waits until the screen shows the latest messages, and nothing else. */
    async shows(tab: RecipePage, count = expected.length): Promise<void> {
      const wanted = expected.slice(recipe.isComplete ? -count : STORED);
      let screen: readonly string[] = [];
      await until(
        () => `${recipe.name} shows ${summary(wanted)}, not ${summary(screen)}`,
        async () => {
          screen = await tab.screen();
          return JSON.stringify(screen) === JSON.stringify(wanted);
        },
      );
    },
  };
}

type Stage = Awaited<ReturnType<typeof openStage>>;

/**
 * Runs recipes next to each other in Chromium: a page of the history, live messages, pages up, an own message, an outage
 * while others send and the token expires, a time offline, and a second tab.
 *
 * @throws Error if a screen does not show what it should within 40 s.
 */
export async function runScript(options: ScriptOptions): Promise<readonly ScriptResult[]> {
  const { recipes, world, outageMs } = options;
  const stages = await Promise.all(recipes.map((recipe) => openStage(options, recipe)));
  const complete = stages.filter(({ isComplete }) => isComplete);
  const each = (run: (stage: Stage) => Promise<void>, some = stages) => Promise.all(some.map(run));

  await each(({ shows, page }) => shows(page, PAGE_SIZE));
  await each(async ({ sendAll, shows, page }) => {
    await sendAll(world.url, ...numbered('live', 3));
    await shows(page, PAGE_SIZE + 3);
  });
  await each(async ({ shows, page }) => {
    await page.pageUp();
    await shows(page, 2 * PAGE_SIZE + 3);
    await page.pageUp();
    await shows(page);
  }, complete);
  await each(async (stage) => {
    await stage.sendOwn(stage.page, 'own');
    await stage.shows(stage.page);
  }, complete);

  await world.stop();
  const outage = sleep(outageMs);
  await each(({ page, type }) => type(page, 'own in the outage'), complete);
  await each(({ sendAll }) => sendAll(world.otherUrl, ...numbered('meanwhile', SENT_IN_OUTAGE)));
  await outage;
  const lastExpiry = Math.max(...stages.map(({ tokens }) => tokens.lastExpiry()));
  await sleep(Math.max(0, lastExpiry - Date.now()));
  await world.start();
  await each(async ({ expected, shows, page }) => {
    expected.push('own in the outage');
    await shows(page);
  }, complete);
  await each(async ({ sendAll, shows, page }) => {
    await sendAll(world.url, 'after the outage');
    await shows(page);
  });

  await each(async ({ page, sendAll, shows }) => {
    await page.setOffline(true);
    await sendAll(world.url, ...numbered('while offline', 2));
    await page.setOffline(false);
    await shows(page);
  });
  const results = await Promise.all(stages.map((stage) => finish(stage, options)));
  await each(({ page }) => page.stop());
  return results.flat();
}

async function finish(stage: Stage, { world }: ScriptOptions): Promise<readonly ScriptResult[]> {
  const { page, isComplete, sendAll, sendOwn, shows, expected } = stage;
  if (!isComplete) {
    await sendAll(world.url, 'the last');
    await shows(page);
    return [await resultOf(stage, page, expected.slice(STORED))];
  }
  const tab = await page.openTab();
  await shows(tab, PAGE_SIZE);
  const start = expected.length - PAGE_SIZE;
  await sendOwn(tab, 'own in the second tab');
  await shows(page);
  await sendOwn(page, 'own in the first tab');
  await sendAll(world.url, 'the last');
  await shows(page);
  await shows(tab, PAGE_SIZE + 3);
  return [
    await resultOf(stage, page, expected),
    { ...(await resultOf(stage, tab, expected.slice(start))), name: `${page.name}, second tab` },
  ];
}

async function resultOf(
  { typed }: Stage,
  tab: RecipePage,
  expected: readonly string[],
): Promise<ScriptResult> {
  // At this moment it may be reconnecting with a new token.
  let subscriptions = 0;
  await until(`${tab.name} is subscribed once`, async () => {
    ({ subscriptions } = tab.reported);
    return subscriptions === 1;
  }).catch(() => {});
  const states = await tab.states();
  const wasSending = (text: string): boolean =>
    states.some((rows) => rows.some((row) => row.text === text && row.isSending));
  return {
    ...judgeScreen(states, expected),
    name: tab.name,
    expected: expected.length,
    states: states.length,
    errors: tab.reported.errors,
    notOptimistic: typed.flatMap(({ tab: where, text }) =>
      where === tab && !wasSending(text) ? [text] : [],
    ),
    subscriptions,
  };
}

/** What a recipe did wrong, apart from what its screen showed; undefined if it did nothing wrong. */
export function faultOf({ name, errors, notOptimistic, subscriptions }: ScriptResult): string | undefined {
  const faults = [
    ...errors,
    ...notOptimistic.map((text) => `${text}: not shown before it was stored`),
    ...(subscriptions === 1 ? [] : [`${subscriptions} open subscriptions`]),
  ];
  return faults.length > 0 ? `${name}: ${faults.join('; ')}` : undefined;
}

function numbered(text: string, count: number): string[] {
  return Array.from({ length: count }, (_, index) => `${text} ${index + 1}`);
}

function summary(texts: readonly string[]): string {
  return `${texts.length} (… ${texts.slice(-4).join(', ')})`;
}

/** @throws Error with the description if the condition does not come true in time. */
async function until(description: string | (() => string), condition: () => Promise<boolean>): Promise<void> {
  const end = performance.now() + WAIT_MS;
  while (!(await condition())) {
    if (performance.now() > end)
      throw new Error(`Did not happen: ${typeof description === 'string' ? description : description()}.`);
    await sleep(100);
  }
}
