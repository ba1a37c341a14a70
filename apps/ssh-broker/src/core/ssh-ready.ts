import type { Event } from '@bowline/messages';

/** Whether a session could be opened on this device. */
export interface SshReadiness {
  /** Of Bowline. */
  version: string;
  bootId: string;
  /** Path of the machine's sshd; undefined if there is none that runs. */
  sshd: string | undefined;
  /** As it names itself, `OpenSSH_9.2p1`. */
  sshdVersion: string | undefined;
}

/** Reported once for each: a new boot, a new version of ours, another sshd. */
export const readinessKey = ({ version, bootId, sshd, sshdVersion }: SshReadiness): string =>
  [bootId, version, sshd ?? 'absent', sshdVersion ?? ''].join(' ');

/** @param at the device's wall clock, epoch milliseconds. */
export const sshReady = ({ sshd, sshdVersion, ...ours }: SshReadiness, at: number): Event => ({
  kind: 'ssh.ready',
  severity: 'info',
  at: Math.round(at),
  data: { ...ours, sshd: sshd ?? 'absent', ...(sshdVersion === undefined ? {} : { sshdVersion }) },
});

/** The version in what `sshd -V` prints; older ones print it below a complaint about the option. */
export const parseSshdVersion = (output: string): string | undefined => /\bOpenSSH_[\w.]+/.exec(output)?.[0];
