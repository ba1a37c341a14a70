/** Units (UCUM) that can be told in one another, by what they measure: value in the base unit = value · factor + offset. */
const KINDS: Readonly<Record<string, readonly [factor: number, offset?: number]>>[] = [
  {
    By: [1],
    kBy: [1e3],
    MBy: [1e6],
    GBy: [1e9],
    KiBy: [1024],
    MiBy: [1024 ** 2],
    GiBy: [1024 ** 3],
  },
  { '1': [1], '%': [0.01] },
  { s: [1], ms: [0.001], min: [60], h: [3600], d: [86_400] },
  { Hz: [1], kHz: [1e3], MHz: [1e6], GHz: [1e9] },
  { Cel: [1], K: [1, -273.15], '[degF]': [5 / 9, -160 / 9] },
  { V: [1], mV: [0.001] },
  { W: [1], mW: [0.001] },
];

/** More digits than this are noise of the conversion. */
const DIGITS = 12;

/** The value in another unit; undefined if there is no way from one to the other. */
export function convert(value: number, from: string, to: string): number | undefined {
  const kind = KINDS.find((units) => Object.hasOwn(units, from) && Object.hasOwn(units, to));
  const [factor, offset = 0] = kind?.[from] ?? [];
  const [toFactor = 1, toOffset = 0] = kind?.[to] ?? [];
  if (factor === undefined) return undefined;
  return Number(((value * factor + offset - toOffset) / toFactor).toPrecision(DIGITS));
}
