import { accessSync, constants, existsSync } from 'node:fs';
import { isAbsolute, join } from 'node:path';

/**
 * Whether a program can be run: from PATH, or from the folders for administrators that a user's PATH may lack. An absolute
 * path names any file instead, for a package that brings no program.
 */
export function hasProgram(program: string): boolean {
  if (isAbsolute(program)) return existsSync(program);
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
