import { describeErrors } from '@bowline/messages/check';
import type { ValidateFunction } from 'ajv';
import { didYouMean } from '../../core/did-you-mean.ts';
import { Manifest } from '../../manifest.ts';

/** What is wrong with what a command says of itself, and which key was meant; undefined if nothing. @param where it stands. */
export function manifestFault(isValid: ValidateFunction, value: unknown, where: string): string | undefined {
  if (isValid(value)) return undefined;
  const typed: unknown = (isValid.errors?.[0]?.params as Record<string, unknown> | undefined)?.[
    'additionalProperty'
  ];
  return `${describeErrors(isValid.errors, where)}${didYouMean(typed, Object.keys(Manifest.properties))}`;
}
