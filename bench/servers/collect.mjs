/** Preloaded with `--expose-gc`: on SIGUSR2 collects all garbage, and says so on standard error. */
process.on('SIGUSR2', () => {
  // Twice: what a first collection finalises, the second one frees.
  globalThis.gc?.();
  globalThis.gc?.();
  process.stderr.write('collected\n');
});
