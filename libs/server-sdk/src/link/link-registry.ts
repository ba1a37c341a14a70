/** What the registry needs of a session. */
export interface Claimant {
  readonly deviceId: string;
  /** Closes 4409; from then on nothing of it is stored. */
  supersede(): void;
}

/** One link a device: of two, the later hello wins (protocol, section 3). */
export class LinkRegistry<Session extends Claimant> {
  readonly #current = new Map<string, Session>();

  /**
   * Makes `session` the device's link. What the one before it has handed to the store already is seen by whoever reads the
   * store now, and is on disk before what is written now.
   *
   * @returns the one before it.
   */
  claim(session: Session): Session | undefined {
    const before = this.#current.get(session.deviceId);
    this.#current.set(session.deviceId, session);
    before?.supersede();
    return before;
  }

  /** @returns whether it was the device's link. */
  release(session: Session): boolean {
    return this.get(session.deviceId) === session && this.#current.delete(session.deviceId);
  }

  get(deviceId: string): Session | undefined {
    return this.#current.get(deviceId);
  }
}
