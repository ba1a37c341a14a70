import {
  isBeforeSwitch,
  isEnded,
  isKnownPhase,
  isKnownRecord,
  transition,
  type EndedUpdate,
  type UpdateRecord,
  type UpdateState,
} from './update-state.ts';

/** What was committed last under a name. */
export interface Installed {
  digest: string;
  version: string;
  kind: string;
  /** The highest that any release committed under this name asked for. */
  minSecureVersion?: string;
  at: number;
}

export interface Denied {
  name: string;
  version: string;
  code: string;
  message: string;
  at: number;
}

/** Beside the records of updates: a person allows what had failed, and the whole of a ledger in one record. */
export type LedgerRecord =
  | UpdateRecord
  | { type: 'allowed'; digest: string; at: number }
  | { type: 'ledger'; ledger: LedgerImage; at: number };

export interface LedgerImage {
  updates: UpdateState[];
  installed: Record<string, Installed>;
  denied: Record<string, Denied>;
}

/** Ended updates that are remembered for people; older ones go first. */
const REMEMBERED = 50;
/** Denied releases that are remembered. */
const MOST_DENIED = 1000;

/** Everything that the journal says, added up. Pure: the same records give the same ledger. */
export class Ledger {
  readonly #updates = new Map<string, UpdateState>();
  readonly #installed = new Map<string, Installed>();
  readonly #denied = new Map<string, Denied>();
  /** @param higher the higher of two versions, either of which may be absent. */
  readonly #higher: HigherVersion;

  constructor(higher: HigherVersion) {
    this.#higher = higher;
  }

  /** @throws InternalError `impossible-record` for one that cannot come now. */
  check(record: LedgerRecord): void {
    if (record.type !== 'ledger' && record.type !== 'allowed')
      transition(this.#updates.get(record.orderId), record);
  }

  /** @throws InternalError `impossible-record`; nothing has changed then. */
  apply(record: LedgerRecord): void {
    if (record.type === 'ledger') return this.#load(record.ledger);
    if (record.type === 'allowed') return void this.#denied.delete(record.digest);
    if (!isKnownRecord(record)) return;
    const state = transition(this.#updates.get(record.orderId), record);
    this.#updates.set(record.orderId, state);
    if (record.type === 'told' || !isEnded(state)) return;
    this.#settle(state);
    this.#forgetOld();
  }

  update(orderId: string): UpdateState | undefined {
    return this.#updates.get(orderId);
  }

  /** Oldest first. */
  updates(): UpdateState[] {
    return [...this.#updates.values()];
  }

  /** The one that is being switched or tried, one at a time. */
  switching(): UpdateState | undefined {
    return this.updates().find((state) => !isEnded(state) && !isBeforeSwitch(state));
  }

  /** Ended, and the gateway does not know yet. */
  untold(): EndedUpdate[] {
    return this.updates().filter((state): state is EndedUpdate => isEnded(state) && !state.told);
  }

  installed(name: string): Installed | undefined {
    return this.#installed.get(name);
  }

  denied(digest: string): Denied | undefined {
    return this.#denied.get(digest);
  }

  image(): LedgerImage {
    return {
      updates: this.updates(),
      installed: Object.fromEntries(this.#installed),
      denied: Object.fromEntries(this.#denied),
    };
  }

  #settle(state: EndedUpdate): void {
    if (state.phase === 'committed') {
      const { name, digest, version, kind, minSecureVersion } = state.plan;
      const floor = this.#higher(minSecureVersion, this.#installed.get(name)?.minSecureVersion);
      const installed = { digest, version, kind, at: state.at };
      this.#installed.set(name, floor === undefined ? installed : { ...installed, minSecureVersion: floor });
      this.#denied.delete(digest);
    } else if (state.phase === 'rolled-back' || state.phase === 'failed') {
      const { failure, plan, at } = state;
      if (!failure.deny || plan === undefined) return;
      const { name, version, digest } = plan;
      this.#denied.delete(digest);
      this.#denied.set(digest, { name, version, code: failure.code, message: failure.message, at });
      const [oldest] = this.#denied.keys();
      if (this.#denied.size > MOST_DENIED && oldest !== undefined) this.#denied.delete(oldest);
    }
  }

  #forgetOld(): void {
    const done = this.updates().filter((state) => isEnded(state) && state.told);
    for (const { orderId } of done.slice(0, Math.max(0, done.length - REMEMBERED)))
      this.#updates.delete(orderId);
  }

  #load({ updates, installed, denied }: LedgerImage): void {
    for (const map of [this.#updates, this.#installed, this.#denied]) map.clear();
    for (const state of updates.filter(isKnownPhase)) this.#updates.set(state.orderId, state);
    for (const [name, entry] of Object.entries(installed)) this.#installed.set(name, entry);
    for (const [digest, entry] of Object.entries(denied)) this.#denied.set(digest, entry);
  }
}

export type HigherVersion = (a: string | undefined, b: string | undefined) => string | undefined;
