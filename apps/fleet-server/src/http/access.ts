import type { Role } from '@bowline/messages';

/** Who may call an endpoint, and under which name the audit log has it. */
export interface Access {
  /** The least role; `anyone`: no operator is asked for. */
  role: Role | 'anyone';
  /** What changes something has one. */
  audit?: string;
  /** Stores something new: refused while the disk is nearly full. */
  grows?: true;
}

/**
 * The one table of who may do what: every endpoint under `/v1/` by method and path, as it is registered. One that is not here
 * keeps the server from starting, and HEAD is as GET.
 */
export const ACCESS: Record<string, Access> = {
  'GET /v1/health': { role: 'anyone' },
  /** Proves itself by token and key (protocol, section 7). */
  'POST /v1/enrolments': { role: 'anyone', audit: 'device.enrol', grows: true },

  'POST /v1/session': { role: 'viewer', audit: 'session.begin' },
  'GET /v1/session': { role: 'viewer' },
  'DELETE /v1/session': { role: 'viewer', audit: 'session.end' },

  'GET /v1/devices': { role: 'viewer' },
  'GET /v1/devices/:deviceId': { role: 'viewer' },
  'GET /v1/devices/:deviceId/orders': { role: 'viewer' },
  'GET /v1/devices/:deviceId/series': { role: 'viewer' },
  'GET /v1/devices/:deviceId/telemetry': { role: 'viewer' },
  'GET /v1/devices/:deviceId/uploads': { role: 'viewer' },
  'GET /v1/devices/:deviceId/uploads/:uploadId': { role: 'viewer' },
  'GET /v1/devices/:deviceId/events': { role: 'viewer' },
  'GET /v1/devices/:deviceId/dead-letters': { role: 'viewer' },
  'GET /v1/orders/:orderId': { role: 'viewer' },
  'GET /v1/orders/:orderId/history': { role: 'viewer' },
  'GET /v1/stream': { role: 'viewer' },

  'POST /v1/devices/:deviceId/orders': { role: 'operator', audit: 'order.create', grows: true },
  'GET /v1/devices/:deviceId/config': { role: 'viewer' },
  'POST /v1/devices/:deviceId/config': { role: 'operator', audit: 'config.push', grows: true },
  'POST /v1/orders/:orderId/cancel': { role: 'operator', audit: 'order.cancel' },

  'GET /v1/rollouts': { role: 'viewer' },
  'GET /v1/rollouts/:rolloutId': { role: 'viewer' },
  'POST /v1/rollouts': { role: 'operator', audit: 'rollout.begin', grows: true },
  'POST /v1/rollouts/:rolloutId/stage': { role: 'operator', audit: 'rollout.stage', grows: true },
  'POST /v1/rollouts/:rolloutId/pause': { role: 'operator', audit: 'rollout.pause' },
  'POST /v1/rollouts/:rolloutId/stop': { role: 'operator', audit: 'rollout.stop' },

  'GET /v1/ssh-sessions': { role: 'viewer' },
  'POST /v1/devices/:deviceId/ssh-sessions': { role: 'operator', audit: 'ssh-session.create', grows: true },
  'POST /v1/ssh-sessions/:sessionId/end': { role: 'operator', audit: 'ssh-session.end' },

  'POST /v1/devices': { role: 'admin', audit: 'device.create', grows: true },
  'POST /v1/devices/:deviceId/revoke': { role: 'admin', audit: 'device.revoke' },
  'POST /v1/devices/:deviceId/restore': { role: 'admin', audit: 'device.restore' },
  'POST /v1/devices/:deviceId/decommission': { role: 'admin', audit: 'device.decommission' },
  'GET /v1/enrolment-tokens': { role: 'admin' },
  'POST /v1/enrolment-tokens/:tokenId/revoke': { role: 'admin', audit: 'enrolment-token.revoke' },
  'POST /v1/enrolment-tokens': { role: 'admin', audit: 'enrolment-token.create', grows: true },
  'GET /v1/operators': { role: 'admin' },
  'POST /v1/operators': { role: 'admin', audit: 'operator.create', grows: true },
  'POST /v1/operators/:name/revoke': { role: 'admin', audit: 'operator.revoke' },
  'POST /v1/operators/:name/tokens': { role: 'admin', audit: 'operator-token.create', grows: true },
  'POST /v1/operators/:name/tokens/:tokenId/revoke': { role: 'admin', audit: 'operator-token.revoke' },
  'GET /v1/trust': { role: 'viewer' },
  'POST /v1/trust': { role: 'admin', audit: 'trust.publish' },
  'GET /v1/audit': { role: 'admin' },
  'GET /v1/server': { role: 'viewer' },
  'GET /v1/server/backups': { role: 'admin' },
  'POST /v1/server/backups': { role: 'admin', audit: 'server.backup', grows: true },
};

export const accessOf = (method: string, path: string): Access | undefined =>
  ACCESS[`${method === 'HEAD' ? 'GET' : method} ${path}`];
