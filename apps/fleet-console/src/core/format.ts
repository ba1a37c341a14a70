/** Numbers and durations as an operator reads them. Units are UCUM codes, as OpenTelemetry uses them. */

const BINARY_PREFIXES = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB'] as const;

/** Three significant digits at most, never in exponents for what a device measures: 0.42, 7.13, 98.6, 1,204. */
export function formatNumber(value: number): string {
  if (!Number.isFinite(value)) return '–';
  const magnitude = Math.abs(value);
  if (magnitude >= 1e12 || (magnitude > 0 && magnitude < 1e-4)) return value.toExponential(2);
  const digits = magnitude >= 100 ? 0 : magnitude >= 10 ? 1 : magnitude >= 1 ? 2 : 3;
  return value.toLocaleString('en-GB', { maximumFractionDigits: digits });
}

/** `sizeBytes` in binary prefixes: 512 B, 1.5 KiB, 3.2 GiB. */
export function formatBytes(sizeBytes: number): string {
  let size = sizeBytes;
  let prefix = 0;
  while (Math.abs(size) >= 1024 && prefix < BINARY_PREFIXES.length - 1) {
    size /= 1024;
    prefix += 1;
  }
  return `${formatNumber(prefix === 0 ? Math.round(size) : size)} ${BINARY_PREFIXES[prefix]}`;
}

/** One reading with its unit; a ratio (unit `1` of a utilisation) becomes per cent. */
export function formatReading(value: number | string | boolean, unit?: string, series = ''): string {
  if (typeof value !== 'number') return String(value);
  if (isRatio(unit, series)) return `${formatNumber(value * 100)} %`;
  switch (unit) {
    case 'By':
      return formatBytes(value);
    case 'By/s':
      return `${formatBytes(value)}/s`;
    case 'Cel':
      return `${formatNumber(value)} °C`;
    case 's':
      return value >= 60 ? formatDuration(value * 1000) : `${formatNumber(value)} s`;
    case undefined:
    case '1':
    case '':
      return formatNumber(value);
    default: {
      // An annotation in braces says what is counted, not in what: `{thread}`, `{packet}/s`.
      const named = unit.replaceAll(/\{[^}]*\}/g, '');
      return named === '' ? formatNumber(value) : `${formatNumber(value)} ${named}`;
    }
  }
}

export const isRatio = (unit: string | undefined, series: string): boolean =>
  (unit === '1' || unit === undefined) && /\.utilization\b/.test(series);

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/** How long something has lasted, in its two largest units: 41 s, 27 min, 3 h 12 min, 2 d 4 h. */
export function formatDuration(durationMs: number): string {
  const ms = Math.max(0, durationMs);
  if (ms < MINUTE) return `${Math.floor(ms / SECOND)} s`;
  if (ms < HOUR) return `${Math.floor(ms / MINUTE)} min`;
  const [large, largeName, small, smallName] =
    ms < DAY ? ([HOUR, 'h', MINUTE, 'min'] as const) : ([DAY, 'd', HOUR, 'h'] as const);
  const rest = Math.floor((ms % large) / small);
  return `${Math.floor(ms / large)} ${largeName}${rest === 0 ? '' : ` ${rest} ${smallName}`}`;
}

/** The time between two steps of an order: +3 ms, +1.42 s, +27 min. */
export function formatStep(durationMs: number): string {
  const ms = Math.max(0, Math.round(durationMs));
  if (ms < SECOND) return `+${ms} ms`;
  if (ms < MINUTE) return `+${(ms / SECOND).toFixed(ms < 10 * SECOND ? 2 : 1)} s`;
  return `+${formatDuration(ms)}`;
}

/** `1 message`, `2 messages`, `1,204 messages`. */
export const count = (n: number, noun: string): string =>
  `${n.toLocaleString('en-GB')} ${noun}${n === 1 ? '' : 's'}`;
