/** Preloaded by `node --import`: this process' clock of the day is wrong by SHIFT_CLOCK_MS. Its timers are not. */
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
