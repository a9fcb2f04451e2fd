import type { Backend } from './backend.js';
import type { Report } from './page/environment.js';
import type { Recipe } from './published.js';

export interface RecipeOptions {
  readonly recipe: Recipe;
  readonly backend: Backend;
  /** The server, as `http://HOST:PORT/graphql`. */
  readonly url: string;
  readonly roomId: string;
  /** The cursor that an incomplete recipe subscribes after. */
  readonly after: string;
  /** Issues a valid token. */
  readonly currentToken: () => Promise<string>;
  /** How much faster timers run. */
  readonly speed: number;
}

/** A recipe that is running, in Node or in Chromium. */
export interface RunningRecipe {
  readonly name: string;
  /** The texts that are on the screen, and errors after them. */
  screen(): Promise<readonly string[]>;
  readonly reported: Reported;
  stop(): Promise<void>;
}

/** What a recipe has reported so far. */
export interface Reported {
  readonly errors: string[];
  /** The number of subscriptions that are open. */
  subscriptions: number;
  /** The texts that were shown last, in Node. */
  texts: readonly string[];
}

export function createReporter() {
  const reported: Reported = { errors: [], subscriptions: 0, texts: [] };
  return {
    reported,
    report(report: Report): void {
      if (report.event === 'error') reported.errors.push(`error: ${report.message}`);
      else if (report.event === 'subscriptions') reported.subscriptions = report.open;
      else reported.texts = report.texts;
    },
  };
}
