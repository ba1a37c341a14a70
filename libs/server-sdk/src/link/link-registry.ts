/** What the registry needs of a session. */
export interface Claimant {
  readonly deviceId: string;
  /** Closes 4409; from then on nothing of it is stored. */
  supersede(): void;
}

/**
 * One link a device: of two, the later hello wins (protocol, section 3). A device says hello once on each link and makes one
 * after the other, so a hello on a link that was made before the one that spoke last is late: it says what was true once.
 */
export class LinkRegistry<Session extends Claimant> {
  readonly #current = new Map<string, Session>();
  /** Links that have not said hello, in the order in which they were made. */
  readonly #silent = new Map<string, Set<Session>>();

  /** A link was made. */
  enter(session: Session): void {
    const silent = this.#silent.get(session.deviceId);
    if (silent === undefined) this.#silent.set(session.deviceId, new Set([session]));
    else silent.add(session);
  }

  /**
   * Makes `session` the device's link and ends those that were made before it. What the one before it has handed to the
   * store already is seen by whoever reads the store now, and is on disk before what is written now.
   *
   * @returns the one before it.
   */
  claim(session: Session): Session | undefined {
    const before = this.#current.get(session.deviceId);
    this.#current.set(session.deviceId, session);
    for (const earlier of this.#silent.get(session.deviceId) ?? []) {
      if (earlier === session) break;
      earlier.supersede();
    }
    this.#forget(session);
    before?.supersede();
    return before;
  }

  /** @returns whether it was the device's link. */
  release(session: Session): boolean {
    this.#forget(session);
    return this.get(session.deviceId) === session && this.#current.delete(session.deviceId);
  }

  get(deviceId: string): Session | undefined {
    return this.#current.get(deviceId);
  }

  #forget(session: Session): void {
    const silent = this.#silent.get(session.deviceId);
    if (silent?.delete(session) === true && silent.size === 0) this.#silent.delete(session.deviceId);
  }
}
