import { accessSync, constants } from 'node:fs';
import { join } from 'node:path';
import packages from '../system-packages.json' with { type: 'json' };

/** Debian packages that tests may need, each with a program that it brings (system-packages.json). */
export type SystemPackage = keyof typeof packages;

/**
 * Whether a system package that a test needs is there: `test.runIf(needs('git'))('when …', …)`. `npm test` names the
 * tests that were skipped and the command that installs what is missing; where `CI` is set, a skip is a failure.
 */
export function needs(name: SystemPackage): boolean {
  return hasProgram(packages[name]);
}

/** Whether a program can be run: from PATH, or from the folders for administrators that a user's PATH may lack. */
export function hasProgram(program: string): boolean {
  const folders = [...(process.env['PATH'] ?? '').split(':'), '/usr/sbin', '/sbin'];
  return folders.some((folder) => {
    try {
      accessSync(join(folder, program), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}
