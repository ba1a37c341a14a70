/** Moments as an operator reads them: ISO order, 24 hours, in a zone that is always named somewhere on the page. */

/** An IANA name, such as `Europe/Berlin`, or `UTC`. */
export type Zone = string;

const formats = new Map<string, Intl.DateTimeFormat>();

function partsOf(at: number, zone: Zone): Record<string, string> {
  let format = formats.get(zone);
  if (format === undefined) {
    format = new Intl.DateTimeFormat('en-GB', {
      timeZone: zone,
      hourCycle: 'h23',
      year: 'numeric',
      month: '2-digit',
      day: '2-digit',
      hour: '2-digit',
      minute: '2-digit',
      second: '2-digit',
      timeZoneName: 'shortOffset',
    });
    formats.set(zone, format);
  }
  return Object.fromEntries(format.formatToParts(at).map(({ type, value }) => [type, value]));
}

/** `2026-11-22`. */
export function formatDay(at: number, zone: Zone): string {
  const { year, month, day } = partsOf(at, zone);
  return `${year}-${month}-${day}`;
}

/** `02:41:07`. */
export function formatTime(at: number, zone: Zone): string {
  const { hour, minute, second } = partsOf(at, zone);
  return `${hour}:${minute}:${second}`;
}

/** `UTC`, `UTC+1`, `UTC+5:30`: the offset that holds in `zone` at that moment. */
export function formatOffset(at: number, zone: Zone): string {
  return (partsOf(at, zone)['timeZoneName'] ?? 'GMT').replace('GMT', 'UTC').replace(/[+]0$/, '');
}

/** As short as it stays unambiguous: the time alone on the day of `now`, else with the day. */
export function formatMoment(at: number, now: number, zone: Zone): string {
  const time = formatTime(at, zone);
  const day = formatDay(at, zone);
  return day === formatDay(now, zone) ? time : `${day} ${time}`;
}

/** For tooltips: everything, with the zone and milliseconds: `2026-11-22 02:41:07.042 UTC+1`. */
export function formatFull(at: number, zone: Zone): string {
  const ms = String(Math.floor(((at % 1000) + 1000) % 1000)).padStart(3, '0');
  return `${formatDay(at, zone)} ${formatTime(at, zone)}.${ms} ${formatOffset(at, zone)}`;
}
