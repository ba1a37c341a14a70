import { chmodSync, existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DemoError } from '../demo/demo-error.ts';
import { commandPackage, moduleFiles } from './module-files.ts';
import { plugInFiles } from './plug-in-files.ts';

/** As an order, the policy and the manifest take it, and as a folder may be called. */
const NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/;

/**
 * Makes the folder of a new plug-in, with a test that passes as it is.
 *
 * @param into the folder of plug-ins (docs/commands.md).
 * @returns the new folder.
 * @throws DemoError if the name cannot be one, or is taken.
 */
export function makePlugIn(name: string, into: string): string {
  checkName(name);
  const folder = join(into, name);
  if (existsSync(folder))
    throw new DemoError(`${folder} is there already.`, 'Choose another name, or remove it.');
  writeFiles(folder, plugInFiles(name));
  return folder;
}

/**
 * Makes a new command module and its test in the folder of modules, with the package that both import for editors and tests.
 *
 * @returns the file of the module.
 * @throws DemoError if the name cannot be one, or is taken.
 */
export function makeModule(name: string, into: string): string {
  checkName(name);
  const file = join(into, `${name}.ts`);
  if (existsSync(file))
    throw new DemoError(`${file} is there already.`, 'Choose another name, or remove it.');
  writeFiles(into, moduleFiles(name));
  writeFiles(join(into, 'node_modules', '@bowline', 'command'), commandPackage());
  return file;
}

function checkName(name: string): void {
  if (!NAME.test(name))
    throw new DemoError(
      `"${name}" cannot be the name of a command.`,
      'Letters, digits, dot, dash and underscore, beginning with a letter or a digit: openValve.',
    );
}

/** Others may enter and read, as the user that a program runs as must; nobody else may write (docs/commands.md). */
function writeFiles(folder: string, files: Record<string, { text: string; mode: number }>): void {
  mkdirSync(folder, { recursive: true, mode: 0o755 });
  for (const [file, { text, mode }] of Object.entries(files)) {
    writeFileSync(join(folder, file), text);
    chmodSync(join(folder, file), mode);
  }
}
