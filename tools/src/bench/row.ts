/** What has to be reached: a bound on the value of the row. */
export type Goal = { atLeast: number } | { atMost: number };

/** One line of a benchmark's result, as it is in the JSON. */
export interface Row {
  metric: string;
  /** Null: not measured; the note says why. */
  value: number | null;
  unit: string;
  /** In words; null: the row is there to compare with. */
  goal: string | null;
  holds: boolean | null;
  note?: string;
}

/** A measured value; with a goal, whether it is reached. */
export function row(
  metric: string,
  value: number,
  unit: string,
  { goal, note }: { goal?: Goal; note?: string } = {},
): Row {
  return {
    metric,
    value: rounded(value),
    unit,
    goal: goal === undefined ? null : inWords(goal),
    holds: goal === undefined ? null : holds(value, goal),
    ...(note === undefined ? {} : { note }),
  };
}

/** A value that could not be measured here. Its goal counts as neither reached nor missed. */
export const unmeasured = (metric: string, unit: string, why: string): Row => ({
  metric,
  value: null,
  unit,
  goal: null,
  holds: null,
  note: why,
});

const holds = (value: number, goal: Goal): boolean =>
  'atLeast' in goal ? value >= goal.atLeast : value <= goal.atMost;

const inWords = (goal: Goal): string =>
  'atLeast' in goal ? `≥ ${rounded(goal.atLeast)}` : `≤ ${rounded(goal.atMost)}`;

/** Three significant digits below a thousand, whole numbers above: more would only be noise. */
export const rounded = (value: number): number =>
  Math.abs(value) >= 1000 ? Math.round(value) : Number(value.toPrecision(3));
