/** Preloaded with `--expose-gc` into every server under test: what the bench asks of it by signals. */

/** Collects all garbage, and says so on standard error. */
process.on('SIGUSR2', () => {
  // Twice: what a first collection finalises, the second one frees.
  globalThis.gc?.();
  globalThis.gc?.();
  process.stderr.write('collected\n');
});

// An exit of its own, however the server would end: it writes the CPU profile, if there is to be one.
process.once('SIGTERM', () => process.exit());
