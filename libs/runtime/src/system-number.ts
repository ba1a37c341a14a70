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
  const [, , id] = entriesOf(file).find(([each]) => each === name) ?? [];
  return numberIn(id);
}

/** A user of this machine's own file. */
export interface SystemUser {
  name: string;
  uid: number;
  gid: number;
}

/** By name, as /etc/passwd has them; others (LDAP) are not for what must work when the network does not. */
export function systemUsers(file = '/etc/passwd'): Map<string, SystemUser> {
  const users = new Map<string, SystemUser>();
  for (const [name = '', , uidText, gidText] of entriesOf(file)) {
    const [uid, gid] = [numberIn(uidText), numberIn(gidText)];
    // The first counts, as for getpwnam.
    if (name !== '' && uid !== undefined && gid !== undefined && !users.has(name))
      users.set(name, { name, uid, gid });
  }
  return users;
}

const entriesOf = (file: string): string[][] =>
  readFileSync(file, 'utf8')
    .split('\n')
    .map((line) => line.split(':'));

const numberIn = (text: string | undefined): number | undefined =>
  text !== undefined && /^\d{1,10}$/.test(text) ? Number(text) : undefined;
