import type { OrderRoute } from '../route.ts';

/** A time-boxed shell; its grant is checked by the broker, which has the effect. */
export const sshAccess: OrderRoute = { type: 'sshAccess', app: 'ssh-broker' };
