import { Environment } from '@bowline/record-store';
import { openQueue } from '../open-queue.ts';

/** Opens a store and dies by `kill -9` around its first commit: `before` it, `during` it, or right `after` it. */
const [folder = '', moment, delayUs = '0'] = process.argv.slice(2);
const die = (): void => void process.kill(process.pid, 'SIGKILL');
const commit = Environment.prototype.commit;
Environment.prototype.commit = async function (writes) {
  if (moment === 'before') die();
  const done = commit.call(this, writes);
  if (moment === 'during') {
    const until = performance.now() + Number(delayUs) / 1000;
    while (performance.now() < until);
    die();
  }
  await done;
  die();
};
await openQueue({ folder, wallMs: () => 1_800_000_000_000 });
