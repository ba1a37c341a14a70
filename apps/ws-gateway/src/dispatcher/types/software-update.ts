import type { OrderRoute } from '../route.ts';

/** An update order; its signature is checked by the updater, which has the effect. */
export const softwareUpdate: OrderRoute = { type: 'softwareUpdate', app: 'ota-updater' };
