import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { readFileIfPresent } from '@bowline/runtime';
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
  readonly main = join(WORKSPACE, 'apps/cli/dist/main.js');

  /** @param broker settings of the ssh-broker beside the demo's; more sessions may begin in a row than a device lets by default. */
  static async start(broker: object = {}): Promise<SshFleet> {
    const ssh = new SshFleet(await TestFleet.make());
    const { fleet } = ssh;
    await fleet.startServer();
    await fleet.prepareDevice();
    fleet.configure('ssh-broker', () => ({ grantsBurst: 1000, ...broker }));
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
    const own = { HOME: this.home, TMPDIR: this.home, NO_COLOR: '1' };
    return { PATH: process.env['PATH'], ...own, ...this.fleet.operatorEnv };
  }

  /** Starts `bowline`, as the operator does. */
  start(...args: string[]): TestProcess {
    return this.run(process.execPath, this.main, ...args);
  }

  /** And in another environment. */
  startWith(env: NodeJS.ProcessEnv, ...args: string[]): TestProcess {
    return startProcess(process.execPath, [this.main, ...args], { cwd: this.home, env });
  }

  /** Starts a program in the operator's home. */
  run(program: string, ...args: string[]): TestProcess {
    return startProcess(program, args, { cwd: this.home, env: this.env });
  }

  /** The configuration of a session that `bowline` has open, for more connections in it. Files of one that has just ended may still lie beside. */
  openConfig(sessionId: string): Promise<string> {
    const folders = () => readdirSync(this.home).filter((name) => name.startsWith('bowline-ssh-'));
    return waitFor(
      () =>
        folders()
          .map((name) => join(this.home, name, 'config'))
          .find((file) => readFileIfPresent(file)?.includes(sessionId)),
      { what: `the files of session ${sessionId}` },
    );
  }

  /** And waits for its end. */
  async bowline(...args: string[]): Promise<{ code: number | null; out: string }> {
    const child = this.start(...args);
    const { code } = await child.exited;
    return { code, out: child.stdout() + child.stderr() };
  }

  /** As somebody who stands at the device. */
  onDevice(...args: string[]): Promise<{ code: number | null; out: string }> {
    return this.bowline('--home', this.fleet.layout.home, ...args);
  }

  /** And in another environment. */
  async bowlineWith(
    env: NodeJS.ProcessEnv,
    ...args: string[]
  ): Promise<{ code: number | null; out: string }> {
    const child = this.startWith(env, ...args);
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
    return this.#event('ssh.ended', sessionId);
  }

  #event(kind: string, sessionId: string): Promise<Record<string, unknown>> {
    return waitFor(
      async () => {
        const events = await this.fleet.api.events(DEVICE_ID, 200);
        return events.find((event) => event.kind === kind && event.data['sessionId'] === sessionId)?.data;
      },
      { everyMs: 100, what: `${kind} of session ${sessionId}` },
    );
  }

  /** Whether a session that is open has a cgroup of its own. */
  async hasCgroup(sessionId: string): Promise<boolean> {
    const data = await this.#event('ssh.started', sessionId);
    return data['cgroup'] === true;
  }

  /** Folders of sessions that are there now. */
  runFolder = (): string => join(this.fleet.layout.runDir, 'ssh-broker');
}

/** As `bowline` begins: the session's id. */
export const SESSION = /Session ([0-9a-f-]{36}), as/;

/** Pid that a process of a session wrote into a file. */
export const pidIn = (file: string): Promise<number> =>
  waitFor(() => Number(readFileSync(file, 'utf8').trim()), { what: `a pid in ${file}` });

export const untilGone = (pid: number): Promise<boolean> =>
  waitFor(() => !isRunning(pid), { what: `the end of process ${pid}` });
