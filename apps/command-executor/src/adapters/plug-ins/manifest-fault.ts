import { describeErrors } from '@bowline/messages/check';
import { suggest } from '@bowline/runtime/suggest';
import type { ValidateFunction } from 'ajv';
import { Manifest } from '../../manifest.ts';

/** What is wrong with what a command says of itself, and which key was meant; undefined if nothing. @param where it stands. */
export function manifestFault(isValid: ValidateFunction, value: unknown, where: string): string | undefined {
  if (isValid(value)) return undefined;
  const typed: unknown = (isValid.errors?.[0]?.params as Record<string, unknown> | undefined)?.[
    'additionalProperty'
  ];
  const meant = typeof typed === 'string' ? suggest(typed, Object.keys(Manifest.properties)) : undefined;
  const hint = meant === undefined || meant === typed ? '' : `; did you mean ${JSON.stringify(meant)}?`;
  return `${describeErrors(isValid.errors, where)}${hint}`;
}
