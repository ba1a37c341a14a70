/** Everything of this app that is compiled ahead of time into src/generated. */
import { schemas as contract } from '@bowline/messages/schemas';
import { DEFINITIONS } from './commands/definitions.ts';
import { ExecutorConfig } from './config.ts';
import { Description, Manifest } from './manifest.ts';
import { PROGRAM_MESSAGES } from './program-messages.ts';

const order = contract['downlink']?.['command'];
if (order === undefined) throw new Error('the contract has no schema for the payload of a command');

/** Only our own configuration is completed; orders are judged as they stand. */
export const fillDefaults = ['config'];

export const schemas: Record<string, Record<string, object>> = {
  config: { config: ExecutorConfig },
  orders: { order },
  commands: Object.fromEntries(DEFINITIONS.map(({ name, params }) => [name, params])),
  manifest: { manifest: Manifest, description: Description },
  programMessages: PROGRAM_MESSAGES,
};
