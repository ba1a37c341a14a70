/** Members whose value is a secret, whatever stands above them: their names end so, without case, `-` and `_`. */
const SECRET_ENDINGS = [
  'token',
  'authorization',
  'cookie',
  'privatekey',
  'password',
  'passphrase',
  'secret',
  'apikey',
] as const;
/** The private half of a JWK (RFC 8037). */
const PRIVATE_MEMBER = 'd';

/** The same endings as they are spelt in texts. The look behind lets each name be tried once, not from each of its letters. */
const NAME = String.raw`(?<![\w-])[\w-]*(?:${SECRET_ENDINGS.join('|')}|private[-_]key|api[-_]key)`;
const VALUE = String.raw`(?:"[^"]*"?|'[^']*'?|[^\s&"'#]+)`;

/** Secrets that give themselves away inside a text: a message, a stack, a command line, an address. */
const SECRET_TEXTS: readonly [pattern: RegExp, instead: string][] = [
  [/-----BEGIN [A-Z ]*PRIVATE KEY-----[^]*?(-----END [A-Z ]*PRIVATE KEY-----|$)/g, '[redacted]'],
  // A compact JWS or JWT (RFC 7515): the part that makes it one is its signature.
  [/\beyJ[\w-]{4,}\.[\w-]+\.[\w-]+/g, '[redacted]'],
  // Our own, wherever they stand: an enrolment token (SECRET.THUMBPRINT), an operator's (bop_ID.SECRET), a tunnel's.
  [/(?<![\w-])(?:[\w-]{16,}\.[\w-]{43}|btn_[\w-]{43})(?![\w-])/g, '[redacted]'],
  [/\b(Bearer|Basic) +[\w.~+/=-]+/gi, '$1 [redacted]'],
  // `scheme://user:password@host`
  [/(\b[a-z][a-z0-9+.-]{0,30}:\/\/[^\s/:@]*):[^\s/@]+@/gi, '$1:[redacted]@'],
  // A member of JSON inside a text, which may be in a string of JSON itself (`\"token\":\"…\"`).
  [
    new RegExp(
      String.raw`(?<!\\)(\\*")(${NAME}|${PRIVATE_MEMBER})\1(\s*:\s*)\1(?:(?!(?<!\\)\1)[^])*(?:\1|$)`,
      'gi',
    ),
    '$1$2$1$3$1[redacted]$1',
  ],
  [new RegExp(`(${NAME}=)${VALUE}`, 'gi'), '$1[redacted]'],
  // An option and its value as two words, of a command line or of a list in JSON.
  [new RegExp(String.raw`((?=-)${NAME}(?:\s+|"\s*,\s*))${VALUE}`, 'gi'), '$1[redacted]'],
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

function isSecret(name: string): boolean {
  const plain = name.replaceAll(/[-_]/g, '').toLowerCase();
  return plain === PRIVATE_MEMBER || SECRET_ENDINGS.some((ending) => plain.endsWith(ending));
}
