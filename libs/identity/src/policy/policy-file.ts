import { check, describeErrors } from '@bowline/messages/check';
import { BowlineError, ConfigError, hasCode } from '@bowline/runtime';
import { suggest } from '@bowline/runtime/suggest';
import type { ErrorObject } from 'ajv';
import { policy as isPolicy } from '../generated/policy.js';
import { readOwnedFile } from '../owned-file.ts';
import type { Policy } from './policy-schema.ts';
import { DEFAULT_POLICY, type HeldPolicy } from './policy.ts';

const MAX_BYTES = 65_536;

/** Keys of each place of a policy, for a did-you-mean; a test holds them against the schema. */
export const POLICY_KEYS: readonly { at: RegExp; keys: readonly string[] }[] = [
  { at: /^$/, keys: ['commands', 'updates', 'ssh'] },
  { at: /^\/commands\/[^/]+$/, keys: ['signed', 'params', 'maxTimeoutMs', 'users'] },
  { at: /^\/updates$/, keys: ['channels', 'kinds', 'windows', 'timeZone', 'maxDeferSeconds'] },
  { at: /^\/ssh$/, keys: ['users', 'maxSeconds', 'capabilities'] },
];

/**
 * The device's policy file, read anew for each order, so that an edit counts at once. Nothing that is wrong with it ever
 * widens what is allowed: then the built-in default is in force, and `fault` says why. No file: the default, too.
 */
export class PolicyFile {
  readonly #file: string | undefined;
  #text: string | undefined;
  #held: HeldPolicy = DEFAULT_POLICY;

  constructor(file: string | undefined) {
    this.#file = file;
  }

  async current(): Promise<HeldPolicy> {
    if (this.#file === undefined) return DEFAULT_POLICY;
    try {
      const text = readOwnedFile(this.#file, MAX_BYTES);
      if (text !== this.#text) {
        this.#held = await parsePolicy(text, `policy file ${this.#file}`);
        this.#text = text;
      }
      return this.#held;
    } catch (error) {
      if (hasCode(error, 'ENOENT')) return DEFAULT_POLICY;
      const fault = error instanceof Error ? error.message : String(error);
      return { ...DEFAULT_POLICY, fault: `${this.#file}: ${fault}` };
    }
  }
}

/**
 * @param source for the answer to whoever is refused.
 * @throws ConfigError `policy-broken`, naming the field.
 */
export async function parsePolicy(text: string, source: string): Promise<HeldPolicy> {
  const broken = (why: string, cause?: unknown) => new ConfigError('policy-broken', why, { cause });
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw broken(`it is not JSON (${error instanceof Error ? error.message : ''})`, error);
  }
  let policy: Policy;
  try {
    policy = check<Policy>(isPolicy, value, 'policy');
  } catch (error) {
    if (!(error instanceof BowlineError)) throw error;
    throw broken(`${error.message}${didYouMean(isPolicy.errors?.[0])}`, error);
  }
  return { policy, source, checkParams: await compileParams(policy, broken) };
}

function didYouMean(error: ErrorObject | undefined): string {
  const typed: unknown = (error?.params as Record<string, unknown> | undefined)?.['additionalProperty'];
  const place = POLICY_KEYS.find(({ at }) => at.test(error?.instancePath ?? ''));
  if (typeof typed !== 'string' || place === undefined) return '';
  const meant = suggest(typed, place.keys);
  return meant === undefined
    ? `; known here: ${place.keys.join(', ')}`
    : `; did you mean ${JSON.stringify(meant)}?`;
}

/** ajv itself is loaded only for a policy that has such schemas: it costs about 13 MB. */
async function compileParams(
  { commands = {} }: Policy,
  broken: (why: string, cause?: unknown) => ConfigError,
): Promise<HeldPolicy['checkParams']> {
  const withSchema = Object.entries(commands).filter(([, { params }]) => params !== undefined);
  if (withSchema.length === 0) return DEFAULT_POLICY.checkParams;
  const { compileSchema } = await import('@bowline/runtime/compile-schema');
  const checks = new Map(
    withSchema.map(([name, { params = {} }]) => {
      try {
        return [name, compileSchema(params)] as const;
      } catch (error) {
        const why = error instanceof Error ? error.message : String(error);
        throw broken(`policy/commands/${name}/params is not a JSON Schema: ${why}`, error);
      }
    }),
  );
  return (command, params) => {
    const validate = checks.get(command);
    return validate === undefined || validate(params) ? undefined : describeErrors(validate.errors, 'params');
  };
}
