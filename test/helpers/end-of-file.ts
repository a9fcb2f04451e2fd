import { afterAll } from 'vitest';
import { stopAll } from './stopping.js';

/** Runs before each test file that needs servers: the first `afterAll` to be registered is the last to run. */
afterAll(stopAll);

// Where the run is interrupted vitest leaves its workers behind, to end when their tests happen to: they hold
// servers that are about to go. (Not process.exit, which vitest turns into an error of the test.)
process.once('disconnect', () => process.kill(process.pid, 'SIGKILL'));
