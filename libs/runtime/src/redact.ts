/** Members whose value is a secret, whatever stands above them; compared without case, `-` and `_`. */
const SECRET_MEMBERS = new Set([
  'token',
  'nexttoken',
  'enrolmenttoken',
  'operatortoken',
  'authorization',
  'proxyauthorization',
  'cookie',
  'setcookie',
  'privatekey',
  'password',
  'passphrase',
  'secret',
  'apikey',
  'd', // the private half of a JWK (RFC 8037)
]);

/** Secrets that give themselves away inside a text: a message, a stack, a command line, an address. */
const SECRET_TEXTS: readonly [pattern: RegExp, instead: string][] = [
  [/-----BEGIN [A-Z ]*PRIVATE KEY-----[^]*?(-----END [A-Z ]*PRIVATE KEY-----|$)/g, '[redacted]'],
  // A compact JWS or JWT (RFC 7515): the part that makes it one is its signature.
  [/\beyJ[\w-]{4,}\.[\w-]+\.[\w-]+/g, '[redacted]'],
  [/\b(Bearer|Basic) +[\w.~+/=-]+/gi, '$1 [redacted]'],
  // `scheme://user:password@host`
  [/(\b[a-z][a-z0-9+.-]*:\/\/[^\s/:@]*):[^\s/@]+@/gi, '$1:[redacted]@'],
  [/\b((?:[\w-]*token|password|passphrase|secret|api[-_]?key)=)[^\s&"'#]+/gi, '$1[redacted]'],
];

const REDACTED = '[redacted]';
/** What lies deeper is left out: nothing that is logged or reported on purpose does. */
const MOST_LEVELS = 32;

/**
 * The same JSON value without secrets: members by their name, texts by their look. For whatever leaves a process to be read
 * by people: logs, diagnostics. It is no licence to hand secrets to either.
 */
export function redact(value: unknown): unknown {
  return redactBelow(value, MOST_LEVELS);
}

function redactBelow(value: unknown, levels: number): unknown {
  if (typeof value === 'string') return redactText(value);
  if (typeof value !== 'object' || value === null) return value;
  if (levels === 0) return REDACTED;
  if (Array.isArray(value)) return value.map((each) => redactBelow(each, levels - 1));
  const entries = Object.entries(value).map(([name, member]) => [
    name,
    isSecret(name) && member !== undefined && member !== null ? REDACTED : redactBelow(member, levels - 1),
  ]);
  return Object.fromEntries(entries) as unknown;
}

export const redactText = (text: string): string =>
  SECRET_TEXTS.reduce((clean, [pattern, instead]) => clean.replace(pattern, instead), text);

const isSecret = (name: string): boolean => SECRET_MEMBERS.has(name.replaceAll(/[-_]/g, '').toLowerCase());
