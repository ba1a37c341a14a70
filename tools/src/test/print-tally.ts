import { missingSystemPackages } from './system-packages.ts';
import { lastLine, refuseSkips, type Tally } from './tally.ts';

/** Prints what failed, what was skipped and why, and the closing line; sets the exit code that fits it. */
export function printTally(counted: Tally): void {
  const tally = isSet(process.env['CI']) ? refuseSkips(counted) : counted;
  if (tally.failed.length > 0) console.log(`\nFailed:\n${list(tally.failed)}`);
  if (tally.skipped.length > 0) console.log(`\nSkipped:\n${list(tally.skipped)}`);
  const missing = counted.skipped.length > 0 ? missingSystemPackages() : [];
  if (missing.length > 0) {
    console.log(`\nThis machine lacks ${missing.join(', ')}; to run what was skipped:`);
    console.log(`  sudo apt-get install -y ${missing.join(' ')}`);
  }
  console.log(`\n${lastLine(tally)}`);
  process.exitCode = tally.failed.length === 0 && tally.passed > 0 ? 0 : 1;
}

const list = (lines: string[]) => lines.map((line) => `  ${line}`).join('\n');
const isSet = (value: string | undefined) =>
  value !== undefined && value !== '' && value !== 'false' && value !== '0';
