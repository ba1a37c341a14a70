import { GivenEventBody, GivenSample } from './bodies.ts';
import { CollectorConfig } from './config.ts';

export const fillDefaults = ['config'];
export const schemas = {
  config: { config: CollectorConfig },
  ingest: { sample: GivenSample, event: GivenEventBody },
};
