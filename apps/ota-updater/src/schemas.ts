import { schemas as contract } from '@bowline/messages/schemas';
import { UpdaterConfig } from './config.ts';

const order = contract['downlink']?.['softwareUpdate'];
if (order === undefined) throw new Error('the contract has no schema for the payload of softwareUpdate');

/** Only our own configuration is completed; orders are judged as they stand. */
export const fillDefaults = ['config'];
export const schemas: Record<string, Record<string, object>> = {
  config: { config: UpdaterConfig },
  orders: { order },
};
