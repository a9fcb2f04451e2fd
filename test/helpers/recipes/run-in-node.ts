import { fork } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { stopAtEnd } from '../stopping.js';
import { temporaryFolder } from '../temporary-folder.js';
import { bundleRecipe } from './bundle.js';
import { createReporter, type RecipeOptions, type RunningRecipe } from './running.js';

/** Runs a recipe without a framework in a process of its own. */
export async function runInNode(options: RecipeOptions): Promise<RunningRecipe> {
  const { recipe, backend, url, roomId, after, currentToken, speed } = options;
  const script = await bundleRecipe(recipe, url, 'node');
  const { path } = temporaryFolder('recipe');
  const file = join(path, 'recipe.mjs');
  writeFileSync(file, script);
  const address = backend.add({ script, currentToken });
  const child = fork(file, [roomId, after, `${address}token`, String(speed)]);
  const exited = once(child, 'exit');
  const { reported, report } = createReporter();
  child.on('message', report);
  const stop = async (): Promise<void> => {
    stopped();
    child.kill();
    await exited;
  };
  const stopped = stopAtEnd(stop);
  return {
    name: recipe.name,
    screen: async () => [...reported.texts, ...reported.errors],
    reported,
    stop,
  };
}
