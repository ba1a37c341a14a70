import { describeErrors } from '@bowline/messages/check';
import type { Command, JsonSchema } from './command.ts';
import { didYouMean } from './did-you-mean.ts';

/** What `check` has found wrong, for operators: the field, what was expected, and which name was probably meant. */
export function paramsFault({ check, params }: Pick<Command, 'check' | 'params'>): string {
  const [first] = check.errors ?? [];
  const typed = (first?.params as Record<string, unknown> | undefined)?.['additionalProperty'];
  const known = Object.keys(propertiesAt(params, first?.instancePath ?? ''));
  return `${describeErrors(check.errors, 'params')}${didYouMean(typed, known)}`;
}

/** The members that a schema names at a place (a JSON pointer); none where it is no plain object there. */
function propertiesAt(schema: JsonSchema, pointer: string): Record<string, unknown> {
  let at: unknown = schema;
  for (const name of pointer.split('/').slice(1)) {
    const { properties, items } = members(at);
    at = members(properties)[name] ?? items;
  }
  return members(members(at)['properties']);
}

const members = (value: unknown): Record<string, unknown> =>
  typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
