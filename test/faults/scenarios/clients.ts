import { launchChromium } from '../../helpers/chromium.js';
import { startBackend } from '../../helpers/recipes/backend.js';
import { completeRecipes, readmeRecipe } from '../../helpers/recipes/published.js';
import { faultOf, runScript } from '../../helpers/recipes/script.js';
import { JWT_SECRET } from '../environment/environment.js';
import type { Scenario } from '../scenario.js';

/**
 * The instance of all pages is shut down, and its tokens expire. What counts is what was on the screens: every state of them.
 * `npm test` runs all recipes through a short outage in test/client; the short form of this scenario runs one.
 */
export const clients: Scenario = {
  name: 'clients',
  title: 'every recipe of the documentation in Chromium, through an outage of 10 s',
  async run(environment, scale) {
    const isFull = scale === 'full';
    const backend = await startBackend();
    const settings = { ALLOWED_ORIGINS: backend.origin };
    const [instance, other] = [await environment.start(settings), await environment.start(settings)];
    const browser = await launchChromium();
    try {
      const results = await runScript({
        browser,
        backend,
        recipes: isFull ? [readmeRecipe, ...completeRecipes] : [readmeRecipe],
        world: {
          url: instance.url,
          otherUrl: other.url,
          jwtSecret: JWT_SECRET,
          stop: () => instance.shutDown(),
          start: () => instance.restart(),
        },
        outageMs: isFull ? 10_000 : 1000,
        tokenSeconds: isFull ? 8 : 2,
        speed: isFull ? 1 : 10,
      });
      const faults = results.flatMap((result) => faultOf(result) ?? []);
      if (faults.length > 0) throw new Error(faults.join('\n'));
      const sum = (count: (result: (typeof results)[number]) => number) =>
        results.reduce((total, result) => total + count(result), 0);
      const sent = sum(({ expected }) => expected);
      return {
        sent,
        acked: sent,
        lost: sum(({ unexpected }) => unexpected.length),
        duplicated: sum(({ duplicated }) => duplicated.length),
        outOfOrder: sum(({ outOfOrder }) => outOfOrder.length),
        unseen: sum(({ lost }) => lost.length),
        recoveryMs: [],
        notes: `${results.length} tabs; ${sum(({ states }) => states)} states of their screens were checked`,
      };
    } finally {
      await browser.close();
    }
  },
};
