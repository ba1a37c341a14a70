import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { freePort, startProcess, temporaryFolder, type TestProcess } from '@bowline/testing';
import { WORKSPACE } from '../test/run.ts';

/** Debian's own, whatever else is in PATH: the packages belong to it. */
const PYTHON = '/usr/bin/python3';

/** A line of the server's journal (tools/foreign-server/journal.py). */
export interface JournalLine {
  kind: string;
  epoch?: string;
  lane?: string;
  seq?: number;
  id?: string;
  type?: string;
  fate?: string;
  /** Messages in its frame. */
  of?: number;
  payload?: {
    kind?: string;
    orderId?: string;
    status?: string;
    result?: unknown;
    samples?: { value: number }[];
  };
}

export interface ServerState {
  devices: Record<string, { online: boolean; holes: number; orders: Record<string, string> }>;
  receiptsDue: number;
}

/** The Python server of tools/foreign-server, as often as a test starts it; always on the same ports. */
export class ForeignServer {
  readonly #folder = join(temporaryFolder(), 'state');
  readonly #journalFile = join(this.#folder, 'journal.jsonl');
  #process: TestProcess | undefined;
  #ports: string[] = [];
  url = '';
  token = '';

  async start(): Promise<void> {
    const main = join(WORKSPACE, 'tools/foreign-server/server.py');
    if (this.#ports.length === 0)
      this.#ports = ['--http-port', String(await freePort()), '--link-port', String(await freePort())];
    this.#process = startProcess(PYTHON, ['-B', main, '--state', this.#folder, ...this.#ports]);
    const [line] = await this.#process.output(/^\{.*\}$/m);
    const said = JSON.parse(line) as { server: string; token: string };
    Object.assign(this, { url: said.server, token: said.token });
  }

  async kill(): Promise<void> {
    await this.#process?.kill('SIGKILL');
  }

  /** What the server knows now; `restore` takes it back to that, as from a backup. Only while it does not run. */
  backup(): Buffer {
    return readFileSync(this.#journalFile);
  }

  restore(backup: Buffer): void {
    writeFileSync(this.#journalFile, backup);
  }

  get errors(): string {
    return this.#process?.stderr() ?? '';
  }

  async state(): Promise<ServerState> {
    return (await (await fetch(`${this.url}/state`)).json()) as ServerState;
  }

  async ping(): Promise<string> {
    const body = JSON.stringify({ type: 'command', payload: { name: 'ping', params: {} } });
    const response = await fetch(`${this.url}/orders`, { method: 'POST', body });
    return ((await response.json()) as { orderId: string }).orderId;
  }

  journal(): JournalLine[] {
    const text = readFileSync(this.#journalFile, 'utf8');
    const whole = text.slice(0, text.lastIndexOf('\n') + 1);
    return whole.split('\n').flatMap((line) => (line === '' ? [] : [JSON.parse(line) as JournalLine]));
  }

  /** What came and was new. */
  messages(type: string): JournalLine[] {
    return this.journal().filter(
      (line) => line.kind === 'message' && line.type === type && line.fate === 'stored',
    );
  }

  values(): number[] {
    return this.messages('telemetry').flatMap(
      ({ payload }) => payload?.samples?.map(({ value }) => value) ?? [],
    );
  }

  acks(orderId: string): (string | undefined)[] {
    return this.messages('ack').flatMap(({ payload }) =>
      payload?.orderId === orderId ? [payload.status] : [],
    );
  }
}
