import type { Browser, BrowserContext, Page } from 'playwright-core';
import { bundleRecipe } from './bundle.js';
import { createReporter, type RecipeOptions, type RunningRecipe } from './running.js';
import type { ScreenStates } from './screen.js';

/** A recipe in a tab. */
export interface RecipePage extends RunningRecipe {
  /** Everything that the screen has shown so far. */
  states(): Promise<ScreenStates>;
  /** Clicks the button for older messages. */
  pageUp(): Promise<void>;
  /** Types a message and presses Enter. */
  send(text: string): Promise<void>;
  /** Takes all tabs of the recipe off the network, or back. */
  setOffline(isOffline: boolean): Promise<void>;
  /** Opens the recipe in one more tab of the same browser. */
  openTab(): Promise<RecipePage>;
}

/** Runs a recipe in a browser context of its own. */
export async function runInChromium(browser: Browser, options: RecipeOptions): Promise<RecipePage> {
  const { recipe, backend, url, roomId, after, currentToken, speed } = options;
  const script = await bundleRecipe(recipe, url, 'browser');
  const address = backend.add({ script, currentToken });
  const context = await browser.newContext();
  const query = new URLSearchParams({ roomId, after, speed: String(speed) });
  return openTab(context, recipe.name, `${address}?${query}`);
}

async function openTab(context: BrowserContext, name: string, address: string): Promise<RecipePage> {
  const { reported, report } = createReporter();
  const { errors } = reported;
  const page = await context.newPage();
  await page.exposeFunction('report', report);
  page.on('pageerror', (error) => errors.push(`error: ${error.message}`));
  page.on('console', (message) => {
    // The browser itself reports each failed request.
    if (message.type() === 'error' && !/Failed to load resource|WebSocket connection to/.test(message.text()))
      errors.push(`error: ${message.text()}`);
  });
  await page.goto(address);
  return {
    name,
    reported,
    screen: async () => [...(await textsOf(page)), ...errors],
    states: () => page.evaluate<ScreenStates>('states'),
    pageUp: () => page.getByRole('button', { name: 'Older' }).click(),
    async send(text) {
      await page.locator('input[name=text]').fill(text);
      await page.locator('input[name=text]').press('Enter');
    },
    setOffline: (isOffline) => context.setOffline(isOffline),
    openTab: () => openTab(context, name, address),
    stop: () => context.close(),
  };
}

function textsOf(page: Page): Promise<readonly string[]> {
  return page.locator('li').allTextContents();
}
