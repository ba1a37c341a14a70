import type { HubApp, HubNotifications } from '@bowline/messages/hub';

type Told = Omit<HubNotifications['appState'], 'state'>;

/** What each app says of itself, as far as it is here and has said so: the jobs of its scheduler, and what its users should know. */
export class AppTold {
  readonly #told = new Map<HubApp, Told>();

  of(app: HubApp): Told {
    return this.#told.get(app) ?? {};
  }

  /** What is not said again stays. */
  heard(app: HubApp, { jobs, notes }: Told): void {
    this.#told.set(app, {
      ...this.of(app),
      ...(jobs === undefined ? {} : { jobs }),
      ...(notes === undefined ? {} : { notes }),
    });
  }

  gone(app: HubApp): void {
    this.#told.delete(app);
  }
}
