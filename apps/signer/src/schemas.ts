/** Everything of this app that is compiled ahead of time into src/generated. */
import { SignerConfig } from './config.ts';
import { SignatureRequest, SignerPolicy } from './policy-schema.ts';

/** Only our own configuration is completed; policy and requests are judged as they stand. */
export const fillDefaults = ['config'];

export const schemas: Record<string, Record<string, object>> = {
  config: { config: SignerConfig },
  bodies: { policy: SignerPolicy, request: SignatureRequest },
};
