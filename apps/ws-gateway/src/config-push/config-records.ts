import type { DurableQueue, WriteBatch } from '@bowline/durable-queue';
import { hashOf } from '@bowline/runtime';
import { sentenceOf } from './config-refusal.ts';
import { inForce, type ConfigStep } from './config-step.ts';

export type Sections = Record<string, Record<string, unknown>>;

export interface ConfigDocument {
  version: number;
  sections: Sections;
}

/** A document that is kept, without its sections. */
export interface KeptDocument {
  version: number;
  /** Epoch milliseconds when it came. */
  at: number;
  outcome: 'applying' | 'applied' | 'rolledBack';
  apps: string[];
  /** With `rolledBack`: who could not have it, and why. */
  why?: string;
}

/** What an app is configured to, and what of it is set: without the defaults of its software. */
export interface ConfigHashes {
  hash: string;
  setHash?: string | undefined;
}

interface State {
  step: ConfigStep;
  /** Newest first. */
  kept: KeptDocument[];
}

type ConfigWrites = NonNullable<WriteBatch['config']>;

const STATE = 'state';
const HASHES = 'hashes';
const SET_HASHES = 'set-hashes';
const documentName = (version: number): string => `document/${version}`;
/** Of the sentence that is kept with a document that went back. */
const MOST_WHY_CHARS = 1024;
const NOTHING: State = { step: { phase: 'settled', version: 0 }, kept: [] };

/**
 * The records of the store that say which document is in force and which ones are kept. What a method returns is to be
 * committed, and then to be told with {@link ConfigRecords.wrote}.
 */
export class ConfigRecords {
  readonly #queue: Pick<DurableQueue, 'config'>;
  #state: State;
  #hashes: Record<string, string>;
  #setHashes: Record<string, string>;

  constructor(queue: Pick<DurableQueue, 'config'>) {
    this.#queue = queue;
    this.#state = (queue.config(STATE) as State | undefined) ?? NOTHING;
    this.#hashes = (queue.config(HASHES) as Record<string, string> | undefined) ?? {};
    this.#setHashes = (queue.config(SET_HASHES) as Record<string, string> | undefined) ?? {};
  }

  get step(): ConfigStep {
    return this.#state.step;
  }

  get kept(): readonly KeptDocument[] {
    return this.#state.kept;
  }

  /** Whether the cloud ever sent anything. */
  get isUntouched(): boolean {
    return this.#state.kept.length === 0;
  }

  /** Of everything that is in force on this device, as far as it has been heard of. */
  get hash(): string {
    return hashOf(this.#hashes);
  }

  /** The same without the defaults of the software; undefined while an app has not told its own. */
  get setHash(): string | undefined {
    const isWhole = Object.keys(this.#hashes).every((app) => Object.hasOwn(this.#setHashes, app));
    return isWhole ? hashOf(this.#setHashes) : undefined;
  }

  /** Undefined: it is not kept. */
  sections(version: number): Sections | undefined {
    if (version === 0) return {};
    const held = this.#queue.config(documentName(version)) as { sections: Sections } | undefined;
    return held?.sections;
  }

  /** What the apps are to have. */
  get inForce(): ConfigDocument {
    const version = inForce(this.step);
    return { version, sections: this.sections(version) ?? {} };
  }

  /** @param document one that comes to those that are kept, with its outcome so far. */
  move(
    step: ConfigStep,
    keep: number,
    document?: (ConfigDocument & Omit<KeptDocument, 'apps'>) | undefined,
  ): ConfigWrites {
    const others = this.#state.kept
      .filter(({ version }) => version !== document?.version)
      .map((each) => ({ ...each, ...outcomeAfter(this.#state.step, step, each) }));
    const added = document === undefined ? [] : [summaryOf(document)];
    const needed = new Set([step.version, step.phase === 'settled' ? 0 : step.previous]);
    const kept = [...added, ...others].filter(({ version }, index) => index < keep || needed.has(version));
    const forgotten = others.filter((each) => !kept.includes(each));
    return {
      [STATE]: { step, kept },
      ...Object.fromEntries(forgotten.map(({ version }) => [documentName(version), null])),
      ...(document === undefined
        ? {}
        : { [documentName(document.version)]: { sections: document.sections } }),
    };
  }

  /** Undefined if it is known already. */
  heard(app: string, { hash, setHash }: ConfigHashes): ConfigWrites | undefined {
    if (this.#hashes[app] === hash && this.#setHashes[app] === setHash) return undefined;
    const { [app]: _, ...others } = this.#setHashes;
    return {
      [HASHES]: { ...this.#hashes, [app]: hash },
      [SET_HASHES]: setHash === undefined ? others : { ...others, [app]: setHash },
    };
  }

  /** What is on disk now. */
  wrote(writes: ConfigWrites): void {
    const { [STATE]: state, [HASHES]: hashes, [SET_HASHES]: setHashes } = writes;
    if (state !== undefined && state !== null) this.#state = state as State;
    if (hashes !== undefined && hashes !== null) this.#hashes = hashes as Record<string, string>;
    if (setHashes !== undefined && setHashes !== null) this.#setHashes = setHashes as Record<string, string>;
  }
}

const summaryOf = ({
  version,
  at,
  outcome,
  sections,
}: ConfigDocument & Omit<KeptDocument, 'apps'>): KeptDocument => ({
  version,
  at,
  outcome,
  apps: Object.keys(sections),
});

function outcomeAfter(
  before: ConfigStep,
  after: ConfigStep,
  kept: KeptDocument,
): Partial<Pick<KeptDocument, 'outcome' | 'why'>> {
  if (before.phase !== 'applying' || before.override !== undefined) return {};
  if (kept.version !== before.version) return {};
  if (after.phase === 'returning')
    return { outcome: 'rolledBack', why: sentenceOf(after.errors).slice(0, MOST_WHY_CHARS) };
  return after.phase === 'settled' ? { outcome: 'applied' } : {};
}
