/** Preloaded with `node --import`: shifts the wall clock of the process by SHIFT_CLOCK_MS, but not its timers. */
const shift = Number(process.env.SHIFT_CLOCK_MS);
const RightDate = Date;

globalThis.Date = class ShiftedDate extends RightDate {
  constructor(...args) {
    super(...(args.length === 0 ? [RightDate.now() + shift] : args));
  }

  static now() {
    return RightDate.now() + shift;
  }
};
