import { accessSync, constants } from 'node:fs';
import { join } from 'node:path';

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
