import { defineCommand, type Command, type ParamsCheck } from '../core/command.ts';
import * as params from '../generated/commands.js';
import { DEFINITIONS } from './definitions.ts';

const checks: Readonly<Record<string, ParamsCheck>> = params;

/** Every command that comes with Bowline, by the name under which an order asks for it. */
export const BUILT_IN: readonly Command[] = DEFINITIONS.map((definition) => {
  const check = checks[definition.name];
  if (check === undefined) throw new Error(`${definition.name} was not compiled: npm run generate`);
  return defineCommand(definition, check);
});
