/** What the registry needs of a session. */
export interface Claimant {
  readonly deviceId: string;
  /** Closes 4409, stores nothing more; resolves once what it handed to the store is settled. */
  supersede(): Promise<void>;
}

/** One link a device: of two, the later hello wins (protocol, section 3). */
export class LinkRegistry<Session extends Claimant> {
  readonly #current = new Map<string, Session>();

  /** Makes `session` the device's link. Resolves, with the one that it replaced, when that one can change nothing more. */
  async claim(session: Session): Promise<Session | undefined> {
    const before = this.#current.get(session.deviceId);
    this.#current.set(session.deviceId, session);
    if (before === undefined || before === session) return undefined;
    await before.supersede();
    return before;
  }

  isCurrent(session: Session): boolean {
    return this.#current.get(session.deviceId) === session;
  }

  /** @returns whether it was the device's link. */
  release(session: Session): boolean {
    return this.isCurrent(session) && this.#current.delete(session.deviceId);
  }

  get(deviceId: string): Session | undefined {
    return this.#current.get(deviceId);
  }

  all(): Session[] {
    return [...this.#current.values()];
  }
}
