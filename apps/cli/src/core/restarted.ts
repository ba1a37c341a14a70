/** What pm2 knows of an app at one moment. */
export interface AppSight {
  status: string;
  alive: boolean;
  restarts: number;
  /** Epoch milliseconds. */
  startedAt: number;
  listenTimeoutMs: number;
}

/**
 * How a restart went. pm2 answers it when the app is ready, when `listen_timeout` is over, or when the app died before, and says not
 * which it was: so the moment of its answer tells, and not the one at which we came to look.
 *
 * @param answeredAt on the clock of `startedAt`.
 */
export function restartVerdict(
  before: Pick<AppSight, 'restarts'>,
  after: AppSight,
  answeredAt: number,
): 'ready' | 'mute' | 'crashed' {
  if (after.restarts > before.restarts + 1 || after.status !== 'online' || !after.alive) return 'crashed';
  return answeredAt - after.startedAt >= after.listenTimeoutMs ? 'mute' : 'ready';
}
