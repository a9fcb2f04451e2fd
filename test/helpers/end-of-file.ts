import { afterAll } from 'vitest';
import { stopAll } from './stopping.js';

/** Runs before each test file that needs servers: the first `afterAll` to be registered is the last to run. */
afterAll(stopAll);

// If the run is interrupted, vitest leaves its workers running until their tests end, although the servers they use are
// about to stop. (process.exit does not work here: vitest turns it into an error of the test.)
process.removeAllListeners('disconnect').once('disconnect', () => process.kill(process.pid, 'SIGKILL'));
