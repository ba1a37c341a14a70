/** Longest name of a series on the wire (protocol, section 9). */
const NAME_CHARS = 128;

/**
 * A sample has no attributes (protocol, section 5), so what tells series apart follows the metric's name, each part after a
 * colon: `system.filesystem.usage:/`, `system.network.io:eth0:receive`. What a name may not hold becomes `_`. One that is
 * too long is cut, and ends in a hash of all of it, so that two series never become one.
 */
export function seriesName(metric: string, parts: readonly string[] = []): string {
  const whole = [metric, ...parts].join(':');
  const name = whole.replaceAll(/[^A-Za-z0-9._:/-]/g, '_').replace(/^[^A-Za-z0-9]/, (first) => `x${first}`);
  if (name.length <= NAME_CHARS) return name;
  const hash = hashOf(whole);
  return `${name.slice(0, NAME_CHARS - hash.length - 1)}:${hash}`;
}

/** FNV-1a, 32 bits: names need to differ, not to withstand anybody. */
function hashOf(text: string): string {
  let hash = 0x81_1c_9d_c5;
  for (let at = 0; at < text.length; at += 1) {
    hash = Math.imul(hash ^ text.charCodeAt(at), 0x01_00_01_93);
  }
  return (hash >>> 0).toString(16).padStart(8, '0');
}
