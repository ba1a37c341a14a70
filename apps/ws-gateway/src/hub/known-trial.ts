import type { HubNotifications, TrialView } from '@bowline/messages/hub';
import type { Clock } from '@bowline/runtime';

/** The release that is being tried out, as long as the updater says so. */
export class KnownTrial {
  readonly #clock: Pick<Clock, 'monotonicMs'>;
  #told: TrialView | undefined;
  #untilMs = 0;

  constructor(clock: Pick<Clock, 'monotonicMs'>) {
    this.#clock = clock;
  }

  told({ forMs, ...trial }: HubNotifications['trial']): void {
    this.#told = trial;
    this.#untilMs = this.#clock.monotonicMs() + forMs;
  }

  get view(): TrialView | undefined {
    return this.#clock.monotonicMs() < this.#untilMs ? this.#told : undefined;
  }
}
