import type { OrderRoute } from '../route.ts';

/** A document with a section for each app; the gateway brings all of them to it, or none (docs/configuration.md). */
export const config: OrderRoute = { type: 'config', app: 'ws-gateway' };
