import { createHash } from 'node:crypto';
import type { Clock } from '@bowline/runtime/clock';
import { keys } from '../store/keys.ts';
import { parse, put, remove, within, type ServerStore } from '../store/server-store.ts';

/** A `jti` is kept until `exp` and this much longer (protocol, section 1). */
const KEPT_AFTER_EXP_MS = 60_000;
const SWEEP_AT_MOST = 1000;

/** Sees to it that each link token is used once, through restarts too. */
export class ReplayGuard {
  readonly #store: ServerStore;
  readonly #clock: Clock;

  constructor(store: ServerStore, clock: Clock) {
    this.#store = store;
    this.#clock = clock;
  }

  /** @returns once it is on disk that the token is spent: false if it was spent already. @param exp epoch seconds. */
  async spend(deviceId: string, jti: string, exp: number): Promise<boolean> {
    const key = keys.usedToken(createHash('sha256').update(`${deviceId}/${jti}`).digest('base64url'));
    if (this.#store.get(key) !== undefined) return false;
    await this.#store.write([put(key, { until: exp * 1000 + KEPT_AFTER_EXP_MS })]);
    return true;
  }

  /** Forgets what can no longer be replayed. To be called now and then. */
  async sweep(): Promise<void> {
    const now = this.#clock.wallMs();
    let from: string = keys.usedTokens;
    for (;;) {
      const entries = this.#store.range({ ...within(keys.usedTokens), from, limit: SWEEP_AT_MOST });
      const old = entries.filter(({ value }) => parse<{ until: number }>(value).until < now);
      await this.#store.write(old.map(({ key }) => remove(key)));
      const last = entries.at(-1);
      if (last === undefined || entries.length < SWEEP_AT_MOST) return;
      from = `${last.key}\0`;
    }
  }
}
