/** A message as it stands on a screen. */
export interface Row {
  readonly text: string;
  /** Whether it is marked as being sent. */
  readonly isSending: boolean;
}

/** Everything that a screen has shown, one entry per change. */
export type ScreenStates = readonly (readonly Row[])[];

/** The texts of messages, each once for every state in which it was wrong. */
export interface ScreenVerdict {
  /** Missing from the last state. */
  readonly lost: readonly string[];
  /** Shown though the room has no such message. */
  readonly unexpected: readonly string[];
  readonly duplicated: readonly string[];
  /** Shown after a later message, or stored ones after one that is being sent. */
  readonly outOfOrder: readonly string[];
}

/** Compares a screen with the messages of its room, in `seq` order: each text must be unique there. */
export function judgeScreen(states: ScreenStates, expected: readonly string[]): ScreenVerdict {
  const positions = new Map(expected.map((text, index) => [text, index]));
  const last = states.at(-1) ?? [];
  const shown = new Set(last.flatMap(({ text, isSending }) => (isSending ? [] : [text])));
  return {
    lost: expected.filter((text) => !shown.has(text)),
    unexpected: states.flatMap((rows) => rows.flatMap(({ text }) => (positions.has(text) ? [] : [text]))),
    duplicated: states.flatMap((rows) => {
      const texts = rows.map(({ text }) => text);
      return texts.filter((text, index) => texts.indexOf(text) !== index);
    }),
    outOfOrder: states.flatMap((state) => {
      const rows = state.filter(({ text }) => positions.has(text));
      const places = rows.map(({ text, isSending }) => (isSending ? Infinity : (positions.get(text) ?? 0)));
      return rows.flatMap(({ text }, index) =>
        (places[index] ?? 0) < (places[index - 1] ?? -1) ? [text] : [],
      );
    }),
  };
}
