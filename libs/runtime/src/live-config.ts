import { join } from 'node:path';
import {
  configFile,
  layerOf,
  mergeLayers,
  readLayers,
  type ConfigSources,
  type Layer,
  type Layers,
} from './config-layers.ts';
import {
  changedKeys,
  findKey,
  judgeSection,
  leavesOf,
  sentenceOf,
  type ConfigFault,
  type ConfigKey,
  type ConfigSchema,
} from './config-schema.ts';
import { faultsOf, validated, validatedLayers, type ConfigValidator } from './config.ts';
import { BowlineError, ConfigError, RejectedError } from './errors.ts';
import { readFileIfPresent, writeFileDurably } from './files.ts';
import { hashOf } from './hash.ts';
import { LocalOverride } from './local-override.ts';
import { redact } from './redact.ts';
import { isTree, type Tree } from './tree.ts';

/** What a section would change; keys as `link.backoffBaseMs`. */
export interface ConfigChange {
  keys: string[];
  /** Those that take effect when the app starts. */
  restart: string[];
  /** Those that carry the link to the cloud. */
  link: string[];
}

/** One value in force. */
export interface ConfigEntry {
  key: string;
  value: unknown;
  source: 'default' | Layer;
  unit?: string;
  description?: string;
  localOnly?: boolean;
  restart?: boolean;
  carriesLink?: boolean;
}

interface CloudSection {
  version: number;
  section: Tree;
}

type Listener<Config> = (now: Readonly<Config>, before: Readonly<Config>) => void | Promise<void>;

/** The layer under which a cloud's value may be hidden comes last, so that the value itself is judged. */
const CLOUD_ON_TOP = ['file', 'local', 'environment', 'flag', 'cloud'] as const;

/**
 * The configuration of a running app: what its owner laid down, and over the file the section that the cloud sent, which
 * lies in the app's own state folder, so that it holds before the gateway is there. Precedence:
 * defaults < file < cloud < local override < environment < flags (docs/adr/0019).
 *
 * What the cloud sent can never keep an app from starting: a section that does not fit any more is set aside and told.
 */
export class LiveConfig<Config> {
  readonly #validate: ConfigValidator;
  readonly #layers: Layers;
  readonly #listeners: Listener<Config>[] = [];
  readonly #cloudFile: string | undefined;
  readonly #override: LocalOverride;
  #problem: string | undefined;
  #current: Readonly<Config>;
  #version: number | undefined;
  /** What is in the file may be something else: a write has failed. */
  #isDiskUnknown = false;

  /** @throws ConfigError `config-unreadable`, `config-invalid`: by what the owner of the device wrote. */
  constructor(validate: ConfigValidator, sources: ConfigSources) {
    this.#validate = validate;
    this.#layers = readLayers(sources);
    const own = validatedLayers<Config>(validate, this.#layers, sources);
    const stateDir = stateDirOf(own);
    this.#cloudFile = stateDir === undefined ? undefined : join(stateDir, 'cloud-config.json');
    this.#override = new LocalOverride(configFile(sources), stateDir);
    this.#current = own;
    const refused = this.#override.refused(this.#layers.local);
    if (refused !== undefined) this.#standIn(refused.instead);
    try {
      const held = this.#read();
      if (held === undefined) return;
      const faults = this.judge(held.section);
      if (faults.length > 0) throw new ConfigError('config-invalid', sentenceOf(faults));
      this.#layers.cloud = held.section;
      this.#version = held.version;
      this.#current = validated<Config>(validate, mergeLayers(this.#layers));
    } catch (error) {
      this.#isDiskUnknown = true;
      this.#problem = error instanceof Error ? error.message : String(error);
    }
  }

  /** In place of an override that was refused. An update may have made it unfit: then the file alone; what was refused comes last. */
  #standIn(instead: Tree): void {
    const fit = [instead, {}].find((each) => this.judgeOverride(each).length === 0);
    if (fit === undefined) return;
    this.#layers.local = fit;
    this.#current = validated<Config>(this.#validate, mergeLayers(this.#layers));
  }

  get current(): Readonly<Config> {
    return this.#current;
  }

  /** Why the section that lay here at the start is not in force; until another one is. */
  get problem(): string | undefined {
    return this.#problem;
  }

  /** Why the local override is not in force as it is written: it was tried, and this came of it. */
  get refused(): string | undefined {
    try {
      return this.#override.refused(this.#override.read())?.why;
    } catch (error) {
      if (!(error instanceof ConfigError)) throw error;
      return undefined; // nobody can say what it is now; the next start will
    }
  }

  /** What of the local override is in force. */
  get override(): Tree {
    return this.#layers.local;
  }

  /** Of the cloud's document whose section is in force. */
  get version(): number | undefined {
    return this.#version;
  }

  /** Of everything in force, wherever it comes from: two apps with the same hash are configured alike. */
  get hash(): string {
    return hashOf(this.#current);
  }

  /** Of what is set, without the defaults: the same after an update of the software. */
  get setHash(): string {
    return hashOf(mergeLayers(this.#layers));
  }

  /** What is wrong with a section of the cloud's, were it in force now. */
  judge(section: Tree): ConfigFault[] {
    const forbidden = judgeSection(this.#schema, section);
    if (forbidden.length > 0) return forbidden;
    const layers = { ...this.#layers, cloud: section };
    const onTop = mergeLayers(layers, CLOUD_ON_TOP);
    const faults = faultsOf(this.#validate, onTop);
    if (faults.length > 0) return faults;
    const coerced = changedKeys(section, pick(onTop, section) as Tree);
    if (coerced.length > 0) {
      return coerced.map((path) => ({ key: path.join('.'), message: 'is of the wrong type' }));
    }
    return faultsOf(this.#validate, mergeLayers(layers));
  }

  /** What would change. @param section one that {@link judge} found nothing wrong with. */
  changeBy(section: Tree): ConfigChange {
    return this.#changeTo({ ...this.#layers, cloud: section });
  }

  /** The local override as it is written now. @throws ConfigError `config-unreadable` */
  readOverride(): Tree {
    return this.#override.read();
  }

  /** What is wrong with a local override, were it in force now. */
  judgeOverride(override: Tree): ConfigFault[] {
    return faultsOf(this.#validate, mergeLayers({ ...this.#layers, local: override }));
  }

  /** What would change. @param override one that {@link judgeOverride} found nothing wrong with. */
  changeByOverride(override: Tree): ConfigChange {
    return this.#changeTo({ ...this.#layers, local: override });
  }

  /** Durable when it returns: once this override is written, it does not count before {@link takeOverride} has it. */
  prepareOverride(override: Tree): void {
    const why = 'it was not tried to its end: the device or its gateway went down';
    this.#override.prepare(override, this.#layers.local, why);
  }

  /**
   * Durable when it returns: `instead` counts in place of this override, as long as that is what the file says.
   *
   * @throws RejectedError `config-refused`: the disk does not take it.
   */
  async refuseOverride(override: Tree, instead: Tree, why: string): Promise<void> {
    this.#override.refuse(override, instead, why);
  }

  /**
   * Once the file says what counts, what was refused before counts again if its owner writes it again. Not while one is on trial:
   * what was refused may be written back.
   *
   * @throws RejectedError `config-refused`: the disk does not take it.
   */
  forgetRefused(): void {
    try {
      this.#override.forgetOthers();
    } catch (error) {
      if (!(error instanceof ConfigError)) throw error; // what the file says is for its owner to put right
    }
  }

  /**
   * Makes a local override the one in force. It is durable already: its owner wrote it.
   *
   * @returns what changed. A key that needs a restart is the caller's to see to.
   * @throws RejectedError `config-refused`: what was before is in force.
   */
  takeOverride(override: Tree): Promise<ConfigChange> {
    return this.#takeOverride(override, () => this.#override.accept(override));
  }

  /** The same for one that was in force before, whatever the file says and the disk takes: {@link refuseOverride} makes it durable. */
  goBackToOverride(override: Tree): Promise<ConfigChange> {
    return this.#takeOverride(override);
  }

  async #takeOverride(override: Tree, beforehand?: () => void): Promise<ConfigChange> {
    const faults = this.judgeOverride(override);
    if (faults.length > 0)
      throw new RejectedError('config-refused', sentenceOf(faults), { details: { faults } });
    const change = this.changeByOverride(override);
    beforehand?.();
    const [before, layer] = [this.#current, this.#layers.local];
    const take = (local: Tree) => {
      this.#layers.local = local;
      this.#current = validated<Config>(this.#validate, mergeLayers(this.#layers));
    };
    take(override);
    if (change.keys.length === 0) return change;
    try {
      await this.#tell(before);
    } catch (error) {
      take(layer);
      await this.#tell(before);
      throw refusedBy(error);
    }
    return change;
  }

  #changeTo(layers: Layers): ConfigChange {
    const after = mergeLayers(layers);
    this.#validate(after); // fills in the defaults
    const changed = changedKeys(this.#current as Tree, after).map((path) => ({
      key: path.join('.'),
      is: findKey(this.#schema, path),
    }));
    const keysWhere = (holds: (is: ConfigKey | undefined) => boolean) =>
      changed.filter(({ is }) => holds(is)).map(({ key }) => key);
    return {
      keys: keysWhere(() => true),
      // What the cloud may not set is read when the app starts, unless it is of the link.
      restart: keysWhere((is) => is?.restart === true || (is?.localOnly === true && !is.carriesLink)),
      link: keysWhere((is) => is?.carriesLink === true),
    };
  }

  async #tell(before: Readonly<Config>): Promise<void> {
    for (const listener of this.#listeners) await listener(this.#current, before);
  }

  /**
   * Makes a section of the cloud's the one in force: durably first, so that it survives whatever happens next, then live.
   *
   * @returns what changed. A key that needs a restart is the caller's to see to.
   * @throws RejectedError `config-refused`: nothing has changed; also where the disk does not take it.
   */
  async apply({ version, section }: CloudSection): Promise<ConfigChange> {
    const faults = this.judge(section);
    if (faults.length > 0)
      throw new RejectedError('config-refused', sentenceOf(faults), { details: { faults } });
    const change = this.changeBy(section);
    if (this.#cloudFile === undefined) {
      throw new RejectedError('config-refused', 'this app has no state folder to keep a configuration in');
    }
    const before = { config: this.#current, section: this.#layers.cloud, version: this.#version };
    const isHeld = changedKeys(before.section, section).length === 0 && before.version === version;
    if (!isHeld || this.#isDiskUnknown) this.#write({ version, section });
    this.#take(version, section);
    this.#problem = undefined;
    if (change.keys.length === 0) return change;
    try {
      await this.#tell(before.config);
    } catch (error) {
      this.#take(before.version, before.section);
      await this.#tell(before.config);
      this.#write(
        before.version === undefined ? undefined : { version: before.version, section: before.section },
      );
      throw refusedBy(error);
    }
    return change;
  }

  /** Called after each change, with what is in force now. One that throws a BowlineError refuses it: it is called again with what was before. */
  onChange(listener: Listener<Config>): void {
    this.#listeners.push(listener);
  }

  /** Every value in force and where it comes from, without secrets. */
  entries(): ConfigEntry[] {
    return leavesOf(this.#current as Tree).map(({ path, value }) => {
      const found = findKey(this.#schema, path);
      const { unit, description } = found?.schema ?? {};
      const shown = Object.values(redact({ [path.at(-1) ?? '']: value }) as Tree)[0];
      return {
        key: path.join('.'),
        value: shown,
        source: layerOf(this.#layers, path) ?? 'default',
        ...(unit === undefined ? {} : { unit }),
        ...(description === undefined ? {} : { description }),
        ...(found?.localOnly === true ? { localOnly: true } : {}),
        ...(found?.restart === true ? { restart: true } : {}),
        ...(found?.carriesLink === true ? { carriesLink: true } : {}),
      };
    });
  }

  get #schema(): ConfigSchema {
    const { schema } = this.#validate;
    return typeof schema === 'object' && schema !== null ? (schema as ConfigSchema) : {};
  }

  #take(version: number | undefined, section: Tree): void {
    this.#version = version;
    this.#layers.cloud = section;
    this.#current = validated<Config>(this.#validate, mergeLayers(this.#layers));
  }

  #read(): CloudSection | undefined {
    const text = this.#cloudFile === undefined ? undefined : readFileIfPresent(this.#cloudFile);
    if (text === undefined) return undefined;
    const held: unknown = JSON.parse(text);
    if (!isTree(held) || typeof held['version'] !== 'number' || !isTree(held['section'])) {
      throw new ConfigError('config-unreadable', `${this.#cloudFile} is damaged`);
    }
    return { version: held['version'], section: held['section'] };
  }

  #write(held: CloudSection | undefined): void {
    if (this.#cloudFile === undefined) return;
    this.#isDiskUnknown = true;
    try {
      writeFileDurably(this.#cloudFile, JSON.stringify(held ?? { version: 0, section: {} }));
    } catch (cause) {
      const why = cause instanceof Error ? cause.message : String(cause);
      throw new RejectedError('config-refused', `cannot be kept on this device: ${why}`, { cause });
    }
    this.#isDiskUnknown = false;
  }
}

function stateDirOf(config: unknown): string | undefined {
  const { stateDir } = config as { stateDir?: unknown };
  return typeof stateDir === 'string' ? stateDir : undefined;
}

/** A listener's refusal; anything else is a bug of ours. */
function refusedBy(error: unknown): RejectedError {
  if (!(error instanceof BowlineError)) throw error;
  return new RejectedError('config-refused', error.message, { cause: error });
}

/** Of `from` only what `shape` has, too: without the defaults that were filled in. */
function pick(from: unknown, shape: unknown): unknown {
  if (Array.isArray(from) && Array.isArray(shape)) return shape.map((each, index) => pick(from[index], each));
  if (!isTree(from) || !isTree(shape)) return from;
  return Object.fromEntries(Object.entries(shape).map(([name, value]) => [name, pick(from[name], value)]));
}
