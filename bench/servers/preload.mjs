/** Preloaded with `--expose-gc` into every server under test: handles the signals of the bench. */

/** Collects all garbage, and reports it on standard error. */
process.on('SIGUSR2', () => {
  // Twice: the second collection frees the objects that the first one finalized.
  globalThis.gc?.();
  globalThis.gc?.();
  process.stderr.write('collected\n');
});

// An exit of this kind writes the CPU profile, if one was requested.
process.once('SIGTERM', () => process.exit());
