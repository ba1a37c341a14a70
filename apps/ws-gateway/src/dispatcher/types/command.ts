import type { OrderRoute } from '../route.ts';

/** Runs a command; its policy and signature are checked by the executor, which has the effect. */
export const command: OrderRoute = { type: 'command', app: 'command-executor' };
