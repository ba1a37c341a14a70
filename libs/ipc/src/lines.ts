import { describeErrors } from '@bowline/messages/check';
import { ContractError } from '@bowline/runtime/errors';
import type { Validator } from './contract.ts';

/** Most lines of one request. */
export const MAX_LINES = 10_000;

/** The lines of a request, decoded, and as they came. */
export interface Lines {
  messages: unknown[];
  texts: string[];
}

/**
 * Lines → values, each checked.
 *
 * @param validate undefined if a request of this name brings none.
 * @throws ContractError `invalid`, naming the line (from 0) and the field.
 */
export function decodeLines(
  validate: Validator | undefined,
  texts: string[],
  name: string,
): Lines | undefined {
  if (validate === undefined ? texts.length > 0 : texts.length < 1 || texts.length > MAX_LINES) {
    throw new ContractError('invalid', `${name} with ${texts.length} lines`);
  }
  if (validate === undefined) return undefined;
  const messages = texts.map((text, index) => {
    const value = parse(text, name, index);
    if (!validate(value))
      throw new ContractError('invalid', describeErrors(validate.errors, `${name}/${index}`));
    return value;
  });
  return { messages, texts };
}

function parse(text: string, name: string, index: number): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new ContractError('invalid', `${name}/${index} is not JSON`);
  }
}
