import { BrokerConfig } from './config.ts';

export const fillDefaults = true;
export const schemas = { config: { config: BrokerConfig } };
