/**
 * Records one batch after the other into the folder that it is given, and says each number once the batch is recorded. Blocks
 * are made and room is made in between, as an app would. Each batch is one minute of series `a`, unsent if its number is odd.
 */
import { openTestHistory, AT, seconds } from './test-history.ts';

const [folder = '', first = '0', maxBytes = '67108864'] = process.argv.slice(2);
const { history } = openTestHistory({ folder }, { maxBytes: Number(maxBytes) });

for (let batch = Number(first); ; batch += 1) {
  history.record(seconds('a', 60, AT + batch * 60_000), { unsent: batch % 2 === 1 });
  process.stdout.write(`${batch}\n`);
  if (batch % 5 === 4) history.seal();
  if (batch % 7 === 6) history.prune();
  // Lets what was written go out.
  await new Promise((resolve) => setImmediate(resolve));
}
