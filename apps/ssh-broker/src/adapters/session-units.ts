import { execFile } from 'node:child_process';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import {
  cgroupKill,
  childEnvironment,
  killCgroup,
  ownCgroup,
  pidsInCgroup,
  removeCgroup,
  unrestricted,
} from '@bowline/runtime';
import { SESSION_VARIABLE } from '../core/sshd-config.ts';
import { cgroupGroups, type SessionGroup, type SessionGroups } from './session-group.ts';

const PARENT = 'bowline-ssh';
/** Where both versions of cgroups are mounted, systemd has each of its groups twice. */
const UNIFIED = '/sys/fs/cgroup/unified/';
/** systemd answers within milliseconds, or has other worries. */
const DEADLINE_MS = 5000;

/**
 * Sessions as transient units of systemd: a slice each, and a service in it for each stream. systemd itself starts sshd, so
 * nothing that narrows our own service (NoNewPrivileges, ProtectSystem and the like) reaches the session; sudo works in it.
 *
 * @returns undefined where systemd does not run, or starts nothing for us.
 */
async function unitGroups(): Promise<SessionGroups | undefined> {
  if (process.getuid?.() !== 0) return undefined;
  // Where systemd has its units: above its own group, `init.scope`.
  const own = ownCgroup(1);
  if (own === undefined || !own.endsWith('.scope')) return undefined;
  const root = join(dirname(own), 'bowline.slice', `${PARENT}.slice`);
  const tried = await systemd('systemd-run', [
    '--quiet',
    '--wait',
    '--collect',
    `--slice=${PARENT}.slice`,
    'true',
  ]);
  return tried ? { make: (id) => unitGroup(root, id), find: (id) => unitGroup(root, id) } : undefined;
}

/** @returns where sessions run here; `all`: and where those of an earlier life may have run. */
export async function sessionGroups(): Promise<{ groups: SessionGroups; all: SessionGroups[] }> {
  const [cgroups, units] = [cgroupGroups(ownCgroup()), await unitGroups()];
  return units === undefined ? { groups: cgroups, all: [cgroups] } : { groups: units, all: [units, cgroups] };
}

function unitGroup(root: string, sessionId: string): SessionGroup {
  // A dash would stand for one more slice.
  const name = `${PARENT}-${sessionId.replaceAll('-', '_')}`;
  const slice = `${name}.slice`;
  const folder = join(root, slice);
  const unitOf = (stream: number) => `${name}-${stream}.service`;
  return {
    holds: true,
    unit: slice,
    command(stream, program, args) {
      // What a stream leaves behind belongs to the session, not to the stream: KillMode.
      const properties = ['KillMode=process', 'TimeoutStopSec=2', 'SyslogIdentifier=bowline-ssh'];
      const [run, runArgs] = unrestricted('systemd-run', [
        '--quiet',
        '--pipe',
        '--wait',
        '--collect',
        '--service-type=exec',
        `--slice=${slice}`,
        `--unit=${unitOf(stream)}`,
        `--setenv=${SESSION_VARIABLE}=${sessionId}`,
        ...properties.map((property) => `--property=${property}`),
        '--',
        program,
        ...args,
      ]);
      return { program: run, args: runArgs };
    },
    stop(stream) {
      void systemd('systemctl', ['stop', '--no-block', unitOf(stream)]);
      return true;
    },
    killFile: cgroupKill(folder),
    pids: () => pidsInCgroup(folder),
    kill: () => killCgroup(folder),
    remove: async () => {
      await systemd('systemctl', ['stop', slice]);
      // A service whose sshd ended before the rest of the session has left its group behind.
      return [folder, folder.replace(UNIFIED, '/sys/fs/cgroup/systemd/')].map(removeCgroup).every(Boolean);
    },
  };
}

/** @returns whether it ended well. */
async function systemd(program: string, args: readonly string[]): Promise<boolean> {
  try {
    await promisify(execFile)(...unrestricted(program, args), {
      env: childEnvironment(),
      timeout: DEADLINE_MS,
    });
    return true;
  } catch {
    return false; // it is not there, or knows of no such unit
  }
}
