/**
 * A reason not to start. It is told to the operator in one line, without a stack, and the process
 * ends with status 1.
 */
export class StartupError extends Error {
  override name = 'StartupError';
}
