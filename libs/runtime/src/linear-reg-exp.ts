import { RE2JS } from 're2js';

const MAX_CHARS = 2048;
/** Time for a match is at most this times the length of the text; `\d{1,1000}` has 2001. */
const MAX_INSTRUCTIONS = 3000;

/**
 * ajv's way to make a regular expression, by RE2 in place of JavaScript's backtracking: the time that a match takes grows with
 * the length of the text and not exponentially. ajv takes two for the same whose `toString()` is the same: RE2JS's is the pattern.
 *
 * @throws Error RE2 has no such thing (look-around, back references, …), or it is too large.
 */
export function linearRegExp(pattern: string): RE2JS {
  if (pattern.length > MAX_CHARS)
    throw new Error(`a pattern has ${pattern.length} characters: at most ${MAX_CHARS} are allowed`);
  const compiled = compile(pattern);
  if (compiled.programSize() > MAX_INSTRUCTIONS)
    throw new Error(`pattern ${JSON.stringify(pattern)} is too large: use smaller counts of repetitions`);
  return compiled;
}
/** ajv prints this where it writes code to a file, which nobody does with these schemas. */
linearRegExp.code = 'linearRegExp';

function compile(pattern: string): RE2JS {
  try {
    return RE2JS.compile(pattern);
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new Error(
      `pattern ${JSON.stringify(pattern)} is not of RE2 syntax, which knows no look-around, no back references and no \\u: ${why}`,
      { cause: error },
    );
  }
}
