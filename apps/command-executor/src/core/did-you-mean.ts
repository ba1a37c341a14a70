import { suggest } from '@bowline/runtime/suggest';

/** The end of a sentence about a name that nobody knows; empty if none is near. */
export function didYouMean(typed: unknown, known: readonly string[]): string {
  const meant = typeof typed === 'string' ? suggest(typed, known) : undefined;
  return meant === undefined || meant === typed ? '' : `; did you mean ${JSON.stringify(meant)}?`;
}
