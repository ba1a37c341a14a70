import { UpdaterConfig } from './config.ts';

export const fillDefaults = true;
export const schemas = { config: { config: UpdaterConfig } };
