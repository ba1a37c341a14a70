import { readFileSync } from 'node:fs';

/**
 * The number of a system user (in /etc/passwd) or group (in /etc/group); a number is itself. Node has no getpwnam, and what an app
 * is given always stands in these files: passwd(5), group(5): name, password, number …
 *
 * @returns undefined if there is none of this name.
 */
export function systemNumber(
  name: string,
  file: '/etc/passwd' | '/etc/group' | (string & {}),
): number | undefined {
  if (/^\d+$/.test(name)) return Number(name);
  const entry = readFileSync(file, 'utf8')
    .split('\n')
    .map((line) => line.split(':'))
    .find(([each]) => each === name);
  const id = Number(entry?.[2] || Number.NaN);
  return Number.isSafeInteger(id) ? id : undefined;
}
