import type { Peer } from '@bowline/ipc';
import type { HubNotifications } from '@bowline/messages/hub';

type Vitals = HubNotifications['vitals'];
type Process = Pick<Peer, 'app' | 'pid'>;

/** How the apps' processes fare, as they tell, and how often each came back as another process. */
export class AppVitals {
  readonly #vitals = new Map<string, Vitals & { pid: number }>();
  readonly #lives = new Map<string, { pid: number; restarts: number }>();

  /** An app has registered: by its pid it is the same process as before, or another. */
  registered({ app, pid }: Process): void {
    const known = this.#lives.get(app);
    if (known?.pid === pid) return;
    this.#lives.set(app, { pid, restarts: known === undefined ? 0 : known.restarts + 1 });
  }

  told({ app, pid }: Process, vitals: Vitals): void {
    this.#vitals.set(app, { ...vitals, pid });
  }

  /** Nothing, until that very process has told. */
  of({ app, pid }: Process): Partial<Vitals> {
    const known = this.#vitals.get(app);
    if (known?.pid !== pid) return {};
    const { rssBytes, eventLoopDelayMs } = known;
    return { rssBytes, eventLoopDelayMs };
  }

  /** Since the gateway started. */
  restarts(app: string): number {
    return this.#lives.get(app)?.restarts ?? 0;
  }
}
