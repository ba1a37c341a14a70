import type { SshGrant } from '@bowline/messages';
import type { Capability } from './capabilities.ts';

export interface EntryFacts {
  grant: Pick<SshGrant, 'command'>;
  capabilities: ReadonlySet<Capability>;
  /** Where and how much of a terminal is recorded, if it is to be. */
  recording: { folder: string; maxBytes: number } | undefined;
}

/** Whether a program of the client's, or of the grant's, may run at all. */
export const runsPrograms = (capabilities: ReadonlySet<Capability>): boolean =>
  capabilities.has('pty') || capabilities.has('exec');

/**
 * The script that sshd is to force upon every client of a session, where what was granted is less than what sshd can hold apart:
 * one command, only what has a terminal, a recording. The command stands in here and not in sshd's configuration, which knows
 * `none` and `internal-sftp` for other things and cannot have every quote.
 *
 * @returns undefined if whatever the client asks for may run as it is, or nothing may.
 */
export function entryScript({ grant: { command }, capabilities, recording }: EntryFacts): string | undefined {
  const onTerminalOnly = !capabilities.has('exec');
  if (!runsPrograms(capabilities)) return undefined;
  if (command === undefined && recording === undefined && !onTerminalOnly) return undefined;
  return `${[
    '#!/bin/sh',
    'shell=${SHELL:-/bin/sh}',
    ...(command === undefined ? asked(capabilities) : [`command=${shellQuoted(command)}`]),
    ...(onTerminalOnly ? TERMINAL_ONLY : []),
    ...(recording === undefined ? [] : recorded(recording)),
    'if [ -n "$command" ]; then exec "$shell" -c "$command"; fi',
    'exec "$shell" -l',
  ].join('\n')}\n`;
}

/** What the client wants to run. Files go by a program of their own: here sshd's own server for them is out of reach. */
const asked = (capabilities: ReadonlySet<Capability>): string[] => [
  'command=${SSH_ORIGINAL_COMMAND-}',
  `if [ "$command" = internal-sftp ]; then ${capabilities.has('sftp') ? 'exec /usr/lib/openssh/sftp-server' : 'exit 1'}; fi`,
];

const TERMINAL_ONLY = [
  "if [ ! -t 0 ]; then echo 'bowline: only what runs on a terminal was granted (ssh -t)' >&2; exit 1; fi",
];

/** Only terminals are recorded: a program without one gets its bytes as they are. */
const recorded = ({ folder, maxBytes }: { folder: string; maxBytes: number }): string[] => [
  'if [ -t 0 ]; then',
  `  at=${shellQuoted(folder)}/$$`,
  '  stty size > "$at.size"',
  `  set -- -q -e -f -o ${maxBytes} -O "$at.out" -T "$at.timing"`,
  '  if [ -n "$command" ]; then exec script "$@" -c "$command"; fi',
  '  exec script "$@" -c "exec $shell -l"',
  'fi',
];

const shellQuoted = (text: string): string => `'${text.replaceAll("'", String.raw`'\''`)}'`;
