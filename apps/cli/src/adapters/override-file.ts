import { rmSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { Installation } from '@bowline/pm2';
import {
  acquireLock,
  hasCode,
  overrideFile,
  readFileIfPresent,
  syncFolder,
  systemUsers,
  writeFileDurably,
  type Lock,
} from '@bowline/runtime';
import type { Tree } from '@bowline/runtime/tree';
import { CliError, EXIT } from '../core/cli-error.ts';

const DEVICE_CONFIG_DIR = '/etc/bowline';

/** `APP.local.json`: what the owner of the device has set over everything that the cloud says (docs/configuration.md). */
export class OverrideFile {
  readonly path: string;
  readonly #main: string;
  readonly #reader: string | undefined;

  constructor(app: string, { configDir = DEVICE_CONFIG_DIR, hubOwner }: Installation) {
    this.#main = join(configDir, `${app}.json`);
    this.path = overrideFile(this.#main);
    this.#reader = app === 'ws-gateway' ? hubOwner : undefined;
  }

  /**
   * For all of a change, from what is read to what is taken: between two at once, the end of one would undo the other.
   *
   * @throws CliError `config-busy`, `not-permitted`
   */
  lock(): Lock {
    try {
      return this.#permitted(() => acquireLock(`${this.path}.lock`));
    } catch (cause) {
      if (!hasCode(cause, 'already-running')) throw cause;
      throw new CliError('config-busy', `Another change of ${this.path} is under way.`, {
        exitCode: EXIT.usage,
        advice: 'Nothing has changed. Wait for its end, then do this again.',
        cause,
      });
    }
  }

  /** As it is written; undefined: there is none. */
  text(): string | undefined {
    return this.#permitted(() => readFileIfPresent(this.path));
  }

  /** @throws CliError `override-broken` */
  read(): Tree {
    try {
      const value: unknown = JSON.parse(this.text() ?? '{}');
      if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Tree;
    } catch (error) {
      if (!(error instanceof SyntaxError)) throw error;
    }
    throw new CliError('override-broken', `${this.path} is no JSON object.`, {
      exitCode: EXIT.usage,
      advice: 'Mend it by hand, or remove it.',
    });
  }

  /** Durable, and readable to the app, when it returns. @throws CliError `not-permitted` */
  write(text: string | undefined): void {
    this.#permitted(() => {
      if (text === undefined) {
        rmSync(this.path, { force: true });
        return syncFolder(dirname(this.path));
      }
      const { mode, uid, gid } = this.#rights();
      writeFileDurably(this.path, text, mode, { uid, gid });
    });
  }

  /**
   * Those that it has, else those of the file beside it. The gateway's may hold the password of a proxy: nobody but root and
   * the gateway reads it.
   */
  #rights(): { mode: number; uid: number; gid: number } {
    const like =
      statSync(this.path, { throwIfNoEntry: false }) ?? statSync(this.#main, { throwIfNoEntry: false });
    const { mode = 0o600, uid = process.getuid?.() ?? 0, gid = process.getgid?.() ?? 0 } = like ?? {};
    const rights = { mode: mode & 0o777, uid, gid };
    if (this.#reader === undefined) return rights;
    return { ...rights, mode: 0o640, gid: groupOf(this.#reader) ?? gid };
  }

  #permitted<T>(work: () => T): T {
    try {
      return work();
    } catch (cause) {
      // Of a lock that cannot be had it is the cause that says why.
      const reason = hasCode(cause, 'state-folder') ? cause.cause : cause;
      if (!hasCode(reason, 'EACCES') && !hasCode(reason, 'EPERM')) throw cause;
      throw new CliError('not-permitted', `${this.path} is its owner's alone.`, {
        exitCode: EXIT.usage,
        advice: 'Run it as root: sudo bowline config …',
        cause,
      });
    }
  }
}

/** A user's own group. @param user by name or number. */
const groupOf = (user: string): number | undefined =>
  [...systemUsers().values()].find(({ name, uid }) => name === user || String(uid) === user)?.gid;
