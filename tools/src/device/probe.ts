import { readFileSync } from 'node:fs';
import { join } from 'node:path';

const PROBE = readFileSync(join(import.meta.dirname, 'probe.js'), 'utf8');

/** What is tried from inside a process, by the name of the attempt: `done`, or the code of the refusal. */
export type Attempts = Record<string, string>;

export interface Probed extends Attempts {
  /** `user`, `group` and `groups` of the process. */
  identity: string;
}

/**
 * A module for `--import` that tries what an app may or may not do, prints the outcome as JSON and ends the process. As a
 * data URL: no file needs to be readable for it.
 *
 * @param waitForStore tries only once the app has given up what it needs for its store alone.
 */
export function probeModule(app: string, { waitForStore }: { waitForStore: boolean }): string {
  const settings = `const APP = ${JSON.stringify(app)}, WAIT_FOR_STORE = ${waitForStore};\n`;
  return `data:text/javascript,${encodeURIComponent(settings + PROBE)}`;
}

export function probedIn(output: string): Probed {
  const line = output.split('\n').find((each) => each.startsWith('PROBED '));
  if (line === undefined) throw new Error(`the probe did not answer:\n${output}`);
  return JSON.parse(line.slice('PROBED '.length)) as Probed;
}
