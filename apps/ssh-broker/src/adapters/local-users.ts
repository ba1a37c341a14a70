import { readFileSync } from 'node:fs';
import { userInfo } from 'node:os';

export interface LocalUser {
  name: string;
  uid: number;
  gid: number;
}

/** The accounts of this machine's own file; others (LDAP) are not for a way in that must work when the network does not. */
export function localUsers(file = '/etc/passwd'): Map<string, LocalUser> {
  const users = new Map<string, LocalUser>();
  for (const line of readFileSync(file, 'utf8').split('\n')) {
    const [name = '', , uid, gid] = line.split(':');
    if (name !== '' && uid !== undefined && gid !== undefined)
      users.set(name, { name, uid: Number(uid), gid: Number(gid) });
  }
  return users;
}

export const ownUser = (): string => userInfo().username;
