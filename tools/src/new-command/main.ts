/** `npm run new:command NAME [-- --typescript] [--into FOLDER]`: a new command with its test (docs/commands.md). */
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import { show } from '../demo/show-error.ts';
import { DemoError } from '../demo/demo-error.ts';
import { WORKSPACE } from '../test/run.ts';
import { makeModule, makePlugIn } from './make-plug-in.ts';

/** Where the demo's device looks (tools/src/demo/device-config.ts). */
const OF_THE_DEMO = join(WORKSPACE, '.bowline', 'device', 'config');

const USAGE = 'npm run new:command NAME [-- --typescript] [--into FOLDER]';

try {
  const { values, positionals } = parsed();
  const [name] = positionals;
  if (name === undefined || positionals.length > 1) throw new DemoError('Which command?', USAGE);
  if ((await builtIn()).includes(name))
    throw new DemoError(
      `${name} comes with Bowline: no other command can have its name.`,
      'Choose another name.',
    );
  const { typescript, into = join(OF_THE_DEMO, typescript ? 'command-modules' : 'commands') } = values;
  const made = typescript ? makeModule(name, into) : makePlugIn(name, into);
  const itsTest = typescript ? made.replace(/\.ts$/, '.test.ts') : join(made, 'run.test.mjs');
  // Types are stripped by the Node of this checkout, not by an older one that may be on the path.
  const node = typescript ? process.execPath : 'node';
  console.log(`${made}

Test it:     ${node} --test ${itsTest}
Allow it:    "${name}": {} under "commands" in the policy of the device (docs/signed-orders.md)
Order it:    npx bowline fleet command demo ${name} --params '{"who":"world"}'`);
} catch (error) {
  show(error);
  process.exitCode = 2;
}

/** @throws DemoError for an option that there is not, or that lacks its value. */
function parsed() {
  try {
    return parseArgs({
      allowPositionals: true,
      options: { into: { type: 'string' }, typescript: { type: 'boolean', default: false } },
    });
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
    throw new DemoError(error.message, USAGE);
  }
}

/** By the executor's own list, which knows them first. */
async function builtIn(): Promise<string[]> {
  const file = join(WORKSPACE, 'apps/command-executor/src/commands/definitions.ts');
  const { DEFINITIONS } = (await import(pathToFileURL(file).href)) as { DEFINITIONS: { name: string }[] };
  return DEFINITIONS.map(({ name }) => name);
}
