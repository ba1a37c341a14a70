import { CliError, EXIT } from './cli-error.ts';

export type GivenValue = number | string | boolean;

const NUMBER = /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i;

const OF_SAMPLES = 'Write NAME=VALUE, e.g. bowline send temperature=21.5';

/**
 * `temperature=21.5`, `door=open`, `pump=true`; in quotes a value is a text whatever it looks like: `code="007"`.
 *
 * @throws CliError `usage`, with this advice
 */
export function givenValue(text: string, advice = OF_SAMPLES): { name: string; value: GivenValue } {
  const equals = text.indexOf('=');
  const name = text.slice(0, Math.max(0, equals));
  const given = text.slice(equals + 1);
  if (name === '' || given === '') {
    throw new CliError('usage', `"${text}" is no value.`, {
      exitCode: EXIT.usage,
      advice,
    });
  }
  return { name, value: valueOf(given) };
}

function valueOf(text: string): GivenValue {
  if (text === 'true' || text === 'false') return text === 'true';
  if (NUMBER.test(text) && Number.isFinite(Number(text))) return Number(text);
  return /^".*"$/s.test(text) ? text.slice(1, -1) : text;
}

/**
 * Parameters of a command.
 *
 * @throws CliError `usage`
 */
export function givenParams(text: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === 'object' && value !== null && !Array.isArray(value))
      return value as Record<string, unknown>;
  } catch {
    // told below, without repeating what may be secret
  }
  throw new CliError('usage', 'The parameters are no JSON object.', {
    exitCode: EXIT.usage,
    advice: `Write --params '{"level":3}', or --params @FILE, --params @- for those in a file or on standard input.`,
  });
}
