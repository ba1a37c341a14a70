import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { isRunning, startProcess, temporaryFolder, waitFor, type TestProcess } from '@bowline/testing';
import { DEVICE_ID } from '../demo/layout.ts';
import { WORKSPACE } from '../test/run.ts';
import { TestFleet } from './test-fleet.ts';

interface Session {
  sessionId: string;
  ready: boolean;
  openStreams: number;
}

/** A fleet with one device, and an operator elsewhere whose access key the device trusts. */
export class SshFleet {
  readonly fleet: TestFleet;
  /** The operator's home. */
  readonly home = temporaryFolder();

  static async start(): Promise<SshFleet> {
    const ssh = new SshFleet(await TestFleet.make());
    const { fleet } = ssh;
    await fleet.startServer();
    await fleet.prepareDevice();
    await fleet.startDevice();
    await fleet.untilOnline();
    const rootKey = join(fleet.layout.serverDir, 'root-key.pem');
    for (const args of [
      ['keys', 'new', 'access'],
      ['fleet', 'trust', 'add-key', 'access', 'access', '--sign', rootKey],
      ['fleet', 'trust', 'publish', 'trust-draft.json'],
    ]) {
      const { code, out } = await ssh.bowline(...args);
      if (code !== 0) throw new Error(out);
    }
    return ssh;
  }

  private constructor(fleet: TestFleet) {
    this.fleet = fleet;
  }

  get env(): NodeJS.ProcessEnv {
    return { PATH: process.env['PATH'], HOME: this.home, NO_COLOR: '1', ...this.fleet.operatorEnv };
  }

  /** Starts `bowline`, as the operator does. */
  start(...args: string[]): TestProcess {
    const main = join(WORKSPACE, 'apps/cli/dist/main.js');
    return startProcess(process.execPath, [main, ...args], { cwd: this.home, env: this.env });
  }

  /** And waits for its end. */
  async bowline(...args: string[]): Promise<{ code: number | null; out: string }> {
    const child = this.start(...args);
    const { code } = await child.exited;
    return { code, out: child.stdout() + child.stderr() };
  }

  /** A file of the operator's. */
  file(name: string, content?: string | Uint8Array): string {
    const file = join(this.home, name);
    if (content !== undefined) writeFileSync(file, content);
    return file;
  }

  async sessions(): Promise<Session[]> {
    const { out } = await this.bowline('fleet', 'ssh-sessions', '--json');
    return (JSON.parse(out) as { sessions: Session[] }).sessions;
  }

  /** Waits until the device has said how a session ended. */
  ended(sessionId: string): Promise<Record<string, unknown>> {
    return waitFor(
      async () => {
        const events = await this.fleet.api.events(DEVICE_ID, 200);
        return events.find(({ kind, data }) => kind === 'ssh.ended' && data['sessionId'] === sessionId)?.data;
      },
      { everyMs: 100, what: `the end of session ${sessionId}` },
    );
  }

  /** Folders of sessions that are there now. */
  runFolder = (): string => join(this.fleet.layout.runDir, 'ssh-broker');
}

/** Pid that a process of a session wrote into a file. */
export const pidIn = (file: string): Promise<number> =>
  waitFor(() => Number(readFileSync(file, 'utf8').trim()), { what: `a pid in ${file}` });

export const untilGone = (pid: number): Promise<boolean> =>
  waitFor(() => !isRunning(pid), { what: `the end of process ${pid}` });
