import { spawn } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { followAuditChain, AUDIT_START } from '@bowline/identity';
import type { AuditEntry } from '@bowline/messages';
import { DEVICE_ID } from '../demo/layout.ts';
import { pidIn, SESSION, SshFleet } from '../e2e/ssh-fleet.ts';
import type { CampaignOptions } from './campaign.ts';

/** What sessions in a row left behind, and what a reader that stalls did to the memory. */
export interface SshResult {
  name: 'ssh';
  sessions: number;
  /** Sessions that did not open, or whose command did not run. */
  failed: number;
  /** Processes, folders, records and cgroups found after the end of a session. */
  leftovers: number;
  /** Whether the broker's journal is a chain without a gap. */
  chainHolds: boolean;
  copiedBytes: number;
  missingBytes: number;
  /** Highest resident memory while the reader stalled and after, MiB. */
  brokerPeakMib: number;
  serverPeakMib: number;
  /** Whether the search found a process that was left behind on purpose. */
  controlCaught: boolean;
}

const GIB = 1024 ** 3;
/** A form for CI copies less. */
const LONG_FORM = 100;
const SHORT_COPY_BYTES = 256 * 1024 * 1024;
const STALL_MS = 5000;

/** Opens and ends sessions in a row, each with a child that wants to stay, and looks for what is left of them. */
export async function sshSessions(
  { sessions }: CampaignOptions,
  say: (line: string) => void,
): Promise<SshResult> {
  const ssh = await SshFleet.start();
  try {
    let [failed, leftovers] = [0, 0];
    let controlCaught = false;
    for (let n = 1; n <= sessions; n += 1) {
      const stays = `setsid nohup sleep 1000 >/dev/null 2>&1 & echo $! > ${ssh.file(`${n}.pid`)}; echo done`;
      const { code, out } = await ssh.bowline('ssh', DEVICE_ID, '--', stays);
      const [, sessionId = ''] = SESSION.exec(out) ?? [];
      if (code !== 0 || !out.includes('done')) failed += 1;
      else await ssh.ended(sessionId);
      leftovers += left(ssh, sessionId);
      if (n === 1) controlCaught = catches(ssh, sessionId);
      if (n % 10 === 0) say(`  ${n} sessions, ${leftovers} left behind, ${failed} failed`);
    }
    const copied = await copyStalled(ssh, sessions >= LONG_FORM ? GIB : SHORT_COPY_BYTES);
    return {
      name: 'ssh',
      sessions,
      failed,
      leftovers,
      ...copied,
      chainHolds: chainHolds(ssh),
      controlCaught,
    };
  } finally {
    await ssh.fleet.end();
  }
}

/** Everything that is still there of one session. */
function left(ssh: SshFleet, sessionId: string): number {
  const marked = readdirSync('/proc').filter((pid) =>
    environmentOf(pid).includes(`BOWLINE_SESSION=${sessionId}`),
  );
  const folders = readdirSync(ssh.runFolder()).filter((name) => name.includes(sessionId));
  return marked.length + folders.length + Number(hasCgroup(sessionId));
}

function catches(ssh: SshFleet, sessionId: string): boolean {
  const child = spawn('sleep', ['1000'], { env: { ...process.env, BOWLINE_SESSION: sessionId } });
  try {
    return left(ssh, sessionId) === 1;
  } finally {
    child.kill('SIGKILL');
  }
}

function environmentOf(pid: string): string {
  try {
    return /^\d+$/.test(pid) ? readFileSync(`/proc/${pid}/environ`, 'latin1') : '';
  } catch {
    return ''; // it ended, or is another's
  }
}

/** The device's apps are in our own cgroup, and those of their sessions below it. */
function hasCgroup(sessionId: string): boolean {
  const mount = readFileSync('/proc/mounts', 'utf8')
    .split('\n')
    .map((line) => line.split(' '))
    .find(([, , type]) => type === 'cgroup2')?.[1];
  const own = /^0::(.*)$/m.exec(readFileSync('/proc/self/cgroup', 'utf8'))?.[1];
  if (mount === undefined || own === undefined) return false;
  return existsSync(join(mount, own, `bowline-ssh-${sessionId}`));
}

/** Zeroes through the tunnel to a reader that stops for a while before it reads. */
async function copyStalled(ssh: SshFleet, bytes: number) {
  const file = ssh.file('holding.pid');
  const holding = ssh.start('ssh', DEVICE_ID, '--', `echo $$ > ${file}; sleep 1000`);
  await pidIn(file);
  const [, sessionId = ''] = await holding.output(SESSION);
  const config = await ssh.openConfig(sessionId);
  const reader = spawn('ssh', ['-F', config, DEVICE_ID, '--', `head -c ${bytes} /dev/zero`], {
    env: ssh.env,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  await sleep(STALL_MS);
  let copiedBytes = 0;
  for await (const chunk of reader.stdout) copiedBytes += (chunk as Buffer).length;
  const pids = await ssh.fleet.pids();
  const brokerPeakMib = peakMib(pids['ssh-broker'] ?? 0);
  const serverPeakMib = peakMib(ssh.fleet.serverPid);
  await ssh.bowline('fleet', 'ssh-sessions', 'end', sessionId);
  await ssh.ended(sessionId);
  return { copiedBytes, missingBytes: bytes - copiedBytes, brokerPeakMib, serverPeakMib };
}

function peakMib(pid: number): number {
  const [, kib = '0'] = /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? [];
  return Math.round(Number(kib) / 1024);
}

function chainHolds(ssh: SshFleet): boolean {
  const file = join(ssh.fleet.layout.stateDir, 'ssh-broker', 'audit.ndjson');
  const entries = readFileSync(file, 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as AuditEntry);
  return entries.length > 0 && followAuditChain(AUDIT_START, entries).fault === undefined;
}
