/** `npm stop`: ends the server, the device and pm2's daemon. The state stays in `.bowline`. */
import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { demoLayout } from './layout.ts';
import { checkNodeModules } from './preflight.ts';
import { show } from './show-error.ts';

try {
  await main();
} catch (error) {
  show(error);
  process.exitCode = 1;
}

async function main(): Promise<void> {
  const checkout = resolve(import.meta.dirname, '../../..');
  checkNodeModules(checkout);
  const layout = demoLayout(checkout);
  if (!existsSync(layout.home)) return console.log('Nothing runs here.');

  const { endRun } = await import('./end-run.ts');
  const { lockOut } = await import('./start-demo.ts');
  const lock = lockOut(layout);
  try {
    const ended = await endRun(layout);
    console.log(
      ended === 0 ? 'Nothing runs here.' : `Stopped: ${ended} processes ended, state kept in .bowline.`,
    );
  } finally {
    lock.release();
  }
}
