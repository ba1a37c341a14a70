import type { OrderRoute } from '../route.ts';

/** Telemetry, logs or journal of a range of time, answered in parts on the `history` lane. */
export const historyRequest: OrderRoute = { type: 'historyRequest', app: 'telemetry-collector' };
