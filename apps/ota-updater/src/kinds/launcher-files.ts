import { existsSync, mkdirSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { join, sep } from 'node:path';
import { readFileIfPresent, syncFolder, writeFileDurably } from '@bowline/runtime';
import { hasCode } from '@bowline/runtime/errors';

/** Name of the releases of Bowline itself: the folder of its slots. */
export const SELF = 'bowline';
/** What the launcher calls the code that came with the image: no release. */
const FACTORY = 'factory';

/** Why a release of Bowline gave its place back, as the launcher keeps it. */
export interface GivenBack {
  digest: string;
  code: string;
  message: string;
  /** Last lines of what it said. */
  log: string[];
}

/** What the updater and the launcher (deploy/launcher/launch) tell each other: files beside the slots. */
export class LauncherFiles {
  readonly #folder: string;
  #beat = 0;

  constructor(folder: string) {
    this.#folder = folder;
  }

  /** From now on the launcher starts this release, so and so often, until it is committed. */
  beginTrial(digest: string, previous: string | undefined): void {
    mkdirSync(this.#folder, { recursive: true, mode: 0o755 });
    this.forget();
    writeFileDurably(this.#path('trial'), `${digest} ${previous ?? FACTORY} 0\n`);
  }

  /** Digest of the release on trial. */
  onTrial(): string | undefined {
    return readFileIfPresent(this.#path('trial'))?.split(' ')[0];
  }

  /** The release on trial stays, or never began: there is no trial any more. Durable when it returns. */
  endTrial(): void {
    rmSync(this.#path('trial'), { force: true });
    if (existsSync(this.#folder)) syncFolder(this.#folder);
  }

  /** The launcher gives the place back as soon as what runs has ended. */
  askBack({ digest, code, message }: Omit<GivenBack, 'log'>): void {
    writeFileDurably(this.#path('back'), `${digest} ${code} ${message.replaceAll('\n', ' ')}\n`);
  }

  /** The last release that gave its place back, until it is forgotten. */
  givenBack(): GivenBack | undefined {
    const [first = '', ...log] = readFileIfPresent(this.#path('back'))?.trimEnd().split('\n') ?? [];
    const [digest, code, ...words] = first.split(' ');
    if (digest === undefined || code === undefined) return undefined;
    return { digest, code, message: words.join(' '), log };
  }

  /** While this is called again and again, the launcher sees that the new updater goes on. */
  alive(): void {
    this.#beat += 1;
    writeFileSync(this.#path('alive'), `${process.pid} ${this.#beat}\n`, { mode: 0o600 });
  }

  /** What the last trial has left behind. */
  forget(): void {
    for (const name of ['back', 'said', 'said.pipe', 'alive']) rmSync(this.#path(name), { force: true });
    if (existsSync(this.#folder)) syncFolder(this.#folder);
  }

  #path(name: string): string {
    return join(this.#folder, name);
  }
}

/**
 * The release to which a program belongs by where it lies; undefined: it came with the image.
 *
 * @param program main file of the process.
 */
export function slotOf(program: string, slots: string): string | undefined {
  try {
    const file = realpathSync(program);
    const folder = realpathSync(slots) + sep;
    return file.startsWith(folder) ? file.slice(folder.length).split(sep)[0] : undefined;
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return undefined;
    throw error;
  }
}
