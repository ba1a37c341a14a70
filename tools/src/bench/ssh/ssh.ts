import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { userInfo } from 'node:os';
import { join } from 'node:path';
import { DEVICE_ID } from '../../demo/layout.ts';
import { startProcess } from '@bowline/testing';
import { pidIn, SESSION, SshFleet } from '../../e2e/ssh-fleet.ts';
import { folderIn, type BenchContext } from '../context.ts';
import { row, type Row } from '../row.ts';
import { median, medianRatio } from '../statistics.ts';

const MB = 1_000_000;
/** Long enough that the start of a connection, which has a row of its own, is little of it. */
const COPY_BYTES = 400 * MB;
const ROUNDS = 5;
const SESSIONS = 15;

/** Copies and starts of sessions, beside the same sshd by a local pipe. docs/benchmarks.md explains each row. */
export async function benchSsh(context: BenchContext): Promise<Row[]> {
  const ssh = await SshFleet.start();
  try {
    const { 'ssh-broker': broker = 0, ...others } = await ssh.fleet.pids();
    const restMib = residentMib(broker);
    const othersMib = Object.values(others).map(residentMib);
    const startsMs = await sessionStarts(context, ssh);
    const { tunnel, local, bare } = await copies(context, ssh);
    const rate = (ms: number) => COPY_BYTES / MB / (ms / 1000);
    return [
      row('scp through the tunnel', rate(median(tunnel)), 'MB/s'),
      row('scp over sshd -i by a local pipe', rate(median(local)), 'MB/s'),
      row('ratio of both, by round', medianRatio(local, tunnel), '', { goal: { atLeast: 0.6 } }),
      row('scp over three bare processes and WebSockets', rate(median(bare)), 'MB/s'),
      row('ratio of that to the local pipe, by round', medianRatio(local, bare), ''),
      row('grant received → first byte of sshd, p50', median(startsMs), 'ms', { goal: { atMost: 250 } }),
      row("broker's resident memory at rest", restMib, 'MiB', { goal: { atMost: Math.max(...othersMib) } }),
      row("the other apps', median", median(othersMib), 'MiB'),
    ];
  } finally {
    await ssh.fleet.end();
  }
}

/** From the broker's own log: the order has come, and sshd has said its first line. */
async function sessionStarts({ say }: BenchContext, ssh: SshFleet): Promise<number[]> {
  say(`${SESSIONS} sessions`);
  const took: number[] = [];
  for (let n = 0; n < SESSIONS; n += 1) {
    const { out } = await ssh.bowline('ssh', DEVICE_ID, '--', 'true');
    const [, sessionId = ''] = SESSION.exec(out) ?? [];
    const { firstByteMs } = await ssh.ended(sessionId);
    if (typeof firstByteMs === 'number') took.push(firstByteMs);
  }
  return took;
}

/** One after the other in each round, so that all see the same machine. */
async function copies(context: BenchContext, ssh: SshFleet) {
  const file = join(context.folder, 'copied.bin');
  writeFileSync(file, Buffer.alloc(COPY_BYTES, context.random.integer(0, 255)));
  const held = ssh.file('held.pid');
  const holding = ssh.start('ssh', DEVICE_ID, '--', `echo $$ > ${held}; sleep 1000`);
  await pidIn(held);
  const [, sessionId = ''] = await holding.output(SESSION);
  const config = await ssh.openConfig(sessionId);
  const localConfig = localPipe(folderIn(context, 'local'));
  const barePath = await startBarePath(folderIn(context, 'local'));
  const [tunnel, local, bare]: [number[], number[], number[]] = [[], [], []];
  for (let round = 1; round <= ROUNDS; round += 1) {
    context.say(`copies, round ${round} of ${ROUNDS}`);
    local.push(await copy(['-F', localConfig, file, `local:${file}.local`], process.env));
    tunnel.push(await copy(['-F', config, file, `${DEVICE_ID}:${file}.tunnel`], ssh.env));
    bare.push(await copy(['-F', barePath.config, file, `local:${file}.bare`], process.env));
  }
  await barePath.end();
  return { tunnel, local, bare };
}

/** By scp's older protocol, which needs nothing but a command: the session that is held open has no sftp. */
async function copy(args: string[], env: NodeJS.ProcessEnv): Promise<number> {
  const from = performance.now();
  const child = spawn('scp', ['-q', '-O', ...args], { env, stdio: 'inherit' });
  const [code] = (await once(child, 'close')) as [number];
  if (code !== 0) throw new Error(`scp ended with ${code}`);
  return performance.now() - from;
}

/** The same sshd for the same client, with nothing in between. @returns the client's configuration. */
function localPipe(folder: string): string {
  const at = (name: string) => join(folder, name);
  for (const name of ['host', 'key'])
    spawnSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', at(name)]);
  writeFileSync(at('authorized'), readFileSync(at('key.pub')));
  writeFileSync(
    at('sshd'),
    `HostKey ${at('host')}\nAuthorizedKeysFile ${at('authorized')}\nStrictModes no\nUsePAM no\n`,
  );
  writeFileSync(
    at('client'),
    `Host local
  User ${userInfo().username}
  IdentityFile ${at('key')}
  IdentitiesOnly yes
  StrictHostKeyChecking no
  UserKnownHostsFile /dev/null
  LogLevel ERROR
  ProxyCommand /usr/sbin/sshd -i -f ${at('sshd')}
`,
  );
  return at('client');
}

/** The same by the least that WebSockets between three processes can be. */
async function startBarePath(folder: string): Promise<{ config: string; end(): Promise<void> }> {
  const program = join(import.meta.dirname, 'bare-path.ts');
  const relay = startProcess(process.execPath, [program, 'relay']);
  const [port = ''] = await relay.output(/\d+/);
  const device = startProcess(process.execPath, [program, 'device', port, join(folder, 'sshd')]);
  const client = readFileSync(join(folder, 'client'), 'utf8');
  const config = join(folder, 'bare-client');
  const proxy = `ProxyCommand ${process.execPath} ${program} operator ${port}`;
  writeFileSync(config, client.replace(/ProxyCommand .*/, proxy));
  return {
    config,
    end: async () => void (await Promise.all([relay.kill('SIGKILL'), device.kill('SIGKILL')])),
  };
}

function residentMib(pid: number): number {
  const [, kib = '0'] = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? [];
  return Number(kib) / 1024;
}
