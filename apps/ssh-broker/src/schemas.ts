import { schemas as contract } from '@bowline/messages/schemas';
import { BrokerConfig } from './config.ts';

const order = contract['downlink']?.['sshAccess'];
if (order === undefined) throw new Error('the contract has no schema for the payload of sshAccess');

/** Only our own configuration is completed; orders are judged as they stand. */
export const fillDefaults = ['config'];
export const schemas: Record<string, Record<string, object>> = {
  config: { config: BrokerConfig },
  orders: { order },
};
