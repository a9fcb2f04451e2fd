/**
 * A reason not to start that the operator can remove. Its message, one line that says what is wrong and what to do, is
 * printed without a stack, and the process exits with status 1.
 */
export class StartupError extends Error {
  override name = 'StartupError';
}
