/** `npm run new:command NAME [-- --typescript] [--into FOLDER]`: a new command with its test (docs/commands.md). */
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { show } from '../demo/show-error.ts';
import { DemoError } from '../demo/demo-error.ts';
import { WORKSPACE } from '../test/run.ts';
import { makeModule, makePlugIn } from './make-plug-in.ts';

/** Where the demo's device looks (tools/src/demo/device-config.ts). */
const OF_THE_DEMO = join(WORKSPACE, '.bowline', 'device', 'config');

try {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { into: { type: 'string' }, typescript: { type: 'boolean', default: false } },
  });
  const [name] = positionals;
  if (name === undefined || positionals.length > 1)
    throw new DemoError('Which command?', 'npm run new:command NAME [-- --typescript] [--into FOLDER]');
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
