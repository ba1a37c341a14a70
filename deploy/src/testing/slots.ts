import { chmodSync, cpSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import {
  afterThisFile,
  isRunning,
  startProcess,
  temporaryFolder,
  waitFor,
  type TestProcess,
} from '@bowline/testing';

const LAUNCHER = resolve(import.meta.dirname, '../../launcher/launch');
/** Runs what a slot holds as `run`, in the place of Node and pm2: what the launcher starts is the slot's affair. */
const RUNTIME = '#!/bin/sh\nexec sh "$BOWLINE_ROOT/run"\n';
/** Programs by which the launcher has its effects. */
const EFFECTS = ['cat', 'mv', 'ln', 'rm', 'sync'];

/** What a slot does when it is started; each start is a line of the file `starts`. */
export const PROGRAMS = {
  /** Goes on until it is told to end, and shows that it does. */
  good: 'i=0; while :; do i=$((i+1)); echo $$ $i >"$BOWLINE_SLOTS/alive"; sleep 0.2; done',
  crashes: 'echo "cannot go on" >&2; exit 3',
  /** It does not even end when it is told to. */
  hangs: 'trap "" TERM; while :; do sleep 1; done',
};

/** A launcher with slots in a temporary folder, and what a system unit does with it: starts it anew whatever it ends with. */
export class Slots {
  readonly folder = temporaryFolder();
  readonly slots = join(this.folder, 'slots');
  #unit: TestProcess | undefined;
  #isOn = false;
  #loop: Promise<void> = Promise.resolve();
  /** A machine with much to do may not let a good program write for a second or two. */
  env: Record<string, string> = { BOWLINE_SILENT_S: '4', BOWLINE_STOP_S: '1' };

  constructor() {
    mkdirSync(this.slots);
    cpSync(LAUNCHER, join(this.folder, 'launch'));
    this.#program(join(this.folder, 'factory'), 'factory', PROGRAMS.good);
    writeFileSync(join(this.folder, 'factory', 'runtime'), RUNTIME, { mode: 0o755 });
    afterThisFile(() => this.powerOff());
  }

  slot(name: string, program: string): string {
    this.#program(join(this.slots, name), name, program);
    return join(this.slots, name);
  }

  /** As the updater of the slot before does it. */
  beginTrial(digest: string, previous: string): void {
    writeFileSync(join(this.slots, 'trial'), `${digest} ${previous} 0\n`);
  }

  /** Starts the unit. */
  powerOn(): void {
    this.#isOn = true;
    this.#loop = this.#run();
  }

  /** Ends every process of the unit at once. */
  async powerOff(): Promise<void> {
    this.#isOn = false;
    await this.#unit?.kill('SIGKILL');
    await this.#loop;
  }

  /** Ends the launcher's own life in good order, as `systemctl stop` does. */
  async stop() {
    this.#isOn = false;
    if (this.#unit !== undefined) process.kill(this.#unit.pid, 'SIGTERM');
    await this.#loop;
    return this.#unit?.exited;
  }

  /** Names of slots, one for each start. */
  starts(): string[] {
    return this.read('starts').split('\n').filter(Boolean);
  }

  read(name: string): string {
    const file = name === 'starts' ? join(this.folder, name) : join(this.slots, name);
    return existsSync(file) ? readFileSync(file, 'utf8') : '';
  }

  names(): string[] {
    return readdirSync(this.slots);
  }

  /**
   * The power goes at the effect of that number, before or after it is had: programs of the same name lie in the way and count.
   */
  cutPowerAt(number: number, when: 'before' | 'after'): void {
    const bin = join(this.folder, 'bin');
    mkdirSync(bin, { recursive: true });
    const count = join(this.folder, 'count');
    writeFileSync(count, '');
    for (const name of EFFECTS) {
      const cut = `[ "$(/bin/cat ${count} | wc -c)" = ${number} ] && kill -KILL 0`;
      const effect = `/bin/${name} "$@"; code=$?`;
      const lines = [
        '#!/bin/sh',
        `printf x >>${count}`,
        ...(when === 'before' ? [cut, effect] : [effect, cut]),
      ];
      writeFileSync(join(bin, name), `${lines.join('\n')}\nexit $code\n`);
      chmodSync(join(bin, name), 0o755);
    }
    this.env = { ...this.env, PATH: `${bin}:${process.env['PATH'] ?? ''}` };
  }

  /** Whether as many effects were had as the cut asked for. */
  effects(): number {
    return readFileSync(join(this.folder, 'count'), 'utf8').length;
  }

  async #run(): Promise<void> {
    while (this.#isOn) {
      const env = {
        PATH: process.env['PATH'],
        BOWLINE_SLOTS: this.slots,
        BOWLINE_FACTORY: join(this.folder, 'factory'),
        ...this.env,
      };
      this.#unit = startProcess('sh', [join(this.folder, 'launch')], { env, group: true });
      const leader = this.#unit;
      // What is left of the unit is ended before it is started anew.
      const ended = waitForEnd(leader.pid).then(() => leader.kill('SIGKILL'));
      await Promise.all([ended, leader.exited]);
    }
  }

  #program(folder: string, name: string, program: string): void {
    mkdirSync(folder);
    writeFileSync(join(folder, 'run'), `echo ${name} >>${join(this.folder, 'starts')}\n${program}\n`);
  }
}

async function waitForEnd(pid: number): Promise<void> {
  await waitFor(() => !isRunning(pid), { everyMs: 5, timeoutMs: 3_600_000, what: 'the end of the launcher' });
}
