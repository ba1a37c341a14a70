import { CONFIGURED_APPS, type ConfiguredApp } from '@bowline/messages/hub/apps';
import { hashOf, wait, type Clock } from '@bowline/runtime';
import { BowlineError, TransientError } from '@bowline/runtime/errors';
import { isConfigured, Refusal, unknownApp } from './config-refusal.ts';
import type { ConfigHashes, Sections } from './config-records.ts';
import type { ConfigTargets } from './config-targets.ts';

/** An app that is here but does not answer is asked again after this. */
const ASK_AGAIN_MS = 5000;

/** Apps whose section differs. */
export const changedApps = (before: Sections, after: Sections): ConfiguredApp[] =>
  CONFIGURED_APPS.filter((app) => hashOf(before[app] ?? {}) !== hashOf(after[app] ?? {}));

/** The apps of the device as a change meets them: they may be away, come back, and restart meanwhile. Times are monotonic. */
export class ConfigApps {
  readonly #targets: ConfigTargets;
  readonly #clock: Clock;
  /** Looked at again whenever an app comes. */
  #arrival = Promise.withResolvers<void>();
  readonly #arrivals = new Map<ConfiguredApp, number>();

  constructor(targets: ConfigTargets, clock: Clock) {
    this.#targets = targets;
    this.#clock = clock;
  }

  arrived(app: ConfiguredApp): void {
    this.#arrivals.set(app, (this.#arrivals.get(app) ?? 0) + 1);
    this.#arrival.resolve();
    this.#arrival = Promise.withResolvers();
  }

  /** @returns whether the change carries the link. @throws Refusal */
  async validate(before: Sections, after: Sections, untilMs: number): Promise<boolean> {
    const unknown = Object.keys(after).filter((app) => !isConfigured(app));
    if (unknown.length > 0) throw new Refusal(unknown.map(unknownApp));
    const apps = changedApps(before, after);
    const answers = await Promise.all(
      apps.map(async (app) => ({
        app,
        ...(await this.#insist(app, untilMs, (withinMs) =>
          this.#targets.validate(app, after[app] ?? {}, withinMs),
        )),
      })),
    );
    const errors = answers.flatMap(({ app, faults }) => faults.map((fault) => ({ app, ...fault })));
    if (errors.length > 0) throw new Refusal(errors);
    return answers.some(({ link }) => link.length > 0);
  }

  /** Until the app has it. @returns what it is configured to then. @throws Refusal */
  async bring(
    app: ConfiguredApp,
    request: { version: number; section: Record<string, unknown> },
    untilMs: number,
  ): Promise<ConfigHashes> {
    let seen: number | undefined;
    const { faults, restarts, ...hashes } = await this.#insist(app, untilMs, (withinMs) => {
      seen = this.#arrivals.get(app);
      return this.#targets.apply(app, request, withinMs);
    });
    if (faults.length > 0) throw new Refusal(faults.map((fault) => ({ app, ...fault })));
    if (restarts) await this.#untilBack(app, seen, untilMs);
    return hashes;
  }

  /** An app that restarts itself has taken a change when it is here again; the gateway itself goes on from disk. */
  async #untilBack(app: ConfiguredApp, seen: number | undefined, untilMs: number): Promise<void> {
    const clock = this.#clock;
    const isBack = () => app !== 'ws-gateway' && this.#arrivals.get(app) !== seen;
    while (!isBack()) {
      const leftMs = untilMs - clock.monotonicMs();
      if (leftMs <= 0) throw new Refusal([{ app, key: '', message: 'did not come back after its restart' }]);
      await this.#anArrival(leftMs);
    }
  }

  /** @throws Refusal: an app that has a section is away, so nobody can say whether it would take it. */
  async #untilHere(apps: readonly ConfiguredApp[], untilMs: number): Promise<void> {
    const [clock, targets] = [this.#clock, this.#targets];
    for (;;) {
      const away = apps.filter((app) => !targets.isHere(app));
      if (away.length === 0) return;
      const leftMs = untilMs - clock.monotonicMs();
      if (leftMs <= 0) throw new Refusal(away.map((app) => ({ app, key: '', message: 'is not running' })));
      await this.#anArrival(leftMs);
    }
  }

  async #anArrival(withinMs: number): Promise<void> {
    const giveUp = new AbortController();
    const time = wait(this.#clock, withinMs, giveUp.signal).catch(() => undefined);
    await Promise.race([this.#arrival.promise, time]);
    giveUp.abort();
  }

  /** Asks until there is an answer, however often the app goes away meanwhile. @throws Refusal also where time is up. */
  async #insist<T>(app: ConfiguredApp, untilMs: number, ask: (withinMs: number) => Promise<T>): Promise<T> {
    const clock = this.#clock;
    for (;;) {
      await this.#untilHere([app], untilMs);
      try {
        return await ask(untilMs - clock.monotonicMs());
      } catch (error) {
        if (!(error instanceof BowlineError)) throw error;
        const leftMs = untilMs - clock.monotonicMs();
        if (!(error instanceof TransientError) || leftMs <= 0) {
          const message = error.code === 'unsupported' ? 'cannot be configured by the cloud' : error.message;
          throw new Refusal([{ app, key: '', message }]);
        }
        await this.#anArrival(Math.min(ASK_AGAIN_MS, leftMs));
      }
    }
  }
}
