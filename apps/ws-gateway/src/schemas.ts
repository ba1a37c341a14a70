import { GatewayConfig } from './config.ts';
import { Enrolment } from './identity/enrolment-schema.ts';

/** Only our own configuration is completed. */
export const fillDefaults = ['config'];
export const schemas = { config: { config: GatewayConfig }, enrolment: { enrolment: Enrolment } };
