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
  readonly errors: readonly string[];
  /** The number of connections (and of HTTP requests) that were opened and that failed to open. */
  readonly connected: number;
  readonly refused: number;
  /** The subscriptions that are open. */
  readonly subscriptions: number;
  stop(): Promise<void>;
}

/** Counts what a recipe reports. */
export function createReporter() {
  const errors: string[] = [];
  const counts = { connected: 0, refused: 0, subscriptions: 0, texts: [] as readonly string[] };
  return {
    errors,
    counts,
    report(report: Report): void {
      if (report.event === 'error') errors.push(`error: ${report.message}`);
      else if (report.event === 'subscriptions') counts.subscriptions = report.open;
      else if (report.event === 'shown') counts.texts = report.texts;
      else counts[report.event] += 1;
    },
  };
}
