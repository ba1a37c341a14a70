/** `npm run new:command NAME [-- --into FOLDER]`: a new plug-in with its test (docs/commands.md). */
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { show } from '../demo/show-error.ts';
import { DemoError } from '../demo/demo-error.ts';
import { WORKSPACE } from '../test/run.ts';
import { makePlugIn } from './make-plug-in.ts';

/** Where the demo's device looks (tools/src/demo/device-config.ts). */
const OF_THE_DEMO = join(WORKSPACE, '.bowline', 'device', 'config', 'commands');

try {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { into: { type: 'string', default: OF_THE_DEMO } },
  });
  const [name] = positionals;
  if (name === undefined || positionals.length > 1)
    throw new DemoError('Which command?', 'npm run new:command NAME [-- --into FOLDER]');
  const folder = makePlugIn(name, values.into);
  console.log(`${folder}

Test it:     node --test ${join(folder, 'run.test.mjs')}
Allow it:    "${name}": {} under "commands" in the policy of the device (docs/signed-orders.md)
Order it:    npx bowline fleet command demo ${name} --params '{"who":"world"}'`);
} catch (error) {
  show(error);
  process.exitCode = 2;
}
