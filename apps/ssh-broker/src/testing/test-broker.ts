import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { userInfo } from 'node:os';
import { join } from 'node:path';
import { openTestGateway, type TestGateway } from '@bowline/device-app/testing';
import { createKey, signClaims, signTrustBundle, writeTrustAnchor, type SigningKey } from '@bowline/identity';
import type { AuditEntry, SignedClaims } from '@bowline/messages';
import { startProcess, temporaryFolder, waitFor, type TestProcess } from '@bowline/testing';
import { v7 as uuidv7 } from 'uuid';

const MAIN = join(import.meta.dirname, '..', 'main.ts');
const APP = 'ssh-broker';
export const USER = userInfo().username;
const PUBLIC_KEY = `ssh-ed25519 ${'A'.repeat(68)}`;

export const nowSeconds = (): number => Math.floor(Date.now() / 1000);

export interface TestKeys {
  root: SigningKey;
  access: SigningKey;
  /** Of another role. */
  command: SigningKey;
}

export async function createTestKeys(): Promise<TestKeys> {
  const [root, access, command] = await Promise.all([createKey(), createKey(), createKey()]);
  return { root, access, command };
}

/** An order `sshAccess`, and the session that it is for. */
export type TestOrder = {
  orderId: string;
  type: 'sshAccess';
  payload: { grant: string; tunnelUrl: string; token: string };
  sessionId: string;
};

/** The broker as a process of its own, with a gateway that hands it orders. */
export class TestBroker {
  readonly folder: string;
  readonly gateway: TestGateway;
  child!: TestProcess;
  readonly #keys: TestKeys;

  private constructor(folder: string, gateway: TestGateway, keys: TestKeys) {
    this.folder = folder;
    this.gateway = gateway;
    this.#keys = keys;
  }

  static async open(keys: TestKeys): Promise<TestBroker> {
    const folder = temporaryFolder();
    const capabilities = ['pty', 'exec', 'x11'];
    const ssh = { users: [USER, 'nobody', 'no-such'], maxSeconds: 600, capabilities };
    writeFileSync(join(folder, 'policy.json'), JSON.stringify({ ssh }), { mode: 0o600 });
    writeTrustAnchor(join(folder, 'trust-anchor.json'), { rootThumbprint: keys.root.thumbprint });
    const gateway = await openTestGateway(join(folder, 'hub'));
    const bundle = {
      root: [keys.root.publicJwk],
      update: [],
      access: [keys.access.publicJwk],
      command: [keys.command.publicJwk],
    };
    gateway.bundles.push(await signTrustBundle({ version: 1, keys: bundle, threshold: 1 }, [keys.root]));
    return new TestBroker(folder, gateway, keys);
  }

  /** @param within makes the command one that runs it somewhere else. */
  start(more: Record<string, string> = {}, within = (command: string[]): string[] => command): void {
    const env = {
      PATH: process.env['PATH'],
      BOWLINE_SSH_BROKER__STATE_DIR: join(this.folder, 'state'),
      BOWLINE_SSH_BROKER__HUB_FOLDER: join(this.folder, 'hub'),
      BOWLINE_SSH_BROKER__POLICY_FILE: join(this.folder, 'policy.json'),
      BOWLINE_SSH_BROKER__TRUST_ANCHOR_FILE: join(this.folder, 'trust-anchor.json'),
      ...more,
    };
    const [program = '', ...args] = within([process.execPath, MAIN]);
    this.child = startProcess(program, args, { env });
  }

  async close(): Promise<void> {
    await this.child.kill('SIGTERM'); // so that sessions end, with their cgroups
    await this.gateway.close();
  }

  /** A grant whose tunnel leads to a port where nobody listens, or to a relay. */
  async signed(
    change: Partial<SignedClaims<'sshAccess'>> = {},
    {
      by = this.#keys.access,
      relay = 'ws://127.0.0.1:1',
      tunnelUrl,
    }: { by?: SigningKey; relay?: string; tunnelUrl?: string } = {},
  ): Promise<TestOrder> {
    const nbf = nowSeconds();
    const claims: SignedClaims<'sshAccess'> = {
      aud: 'd1',
      jti: uuidv7(),
      exp: nbf + 300,
      sessionId: uuidv7(),
      user: USER,
      publicKey: PUBLIC_KEY,
      capabilities: ['pty'],
      streams: 1,
      idleSeconds: 60,
      nbf,
      reason: 'test',
      by: 'nobody',
      ...change,
    };
    const grant = await signClaims('sshAccess', by, claims);
    const url = tunnelUrl ?? `${relay}/v1/tunnels/${claims.sessionId}/device`;
    return {
      orderId: uuidv7(),
      type: 'sshAccess',
      payload: { grant, tunnelUrl: url, token: 't' },
      sessionId: claims.sessionId,
    };
  }

  outcome({ orderId, type, payload }: TestOrder, wanted?: Parameters<TestGateway['outcome']>[2]) {
    return this.gateway.outcome(APP, { orderId, type, payload }, wanted);
  }

  /** A session that starts, and is over soon: within seconds, or later where the machine is too slow for that. */
  async short(): Promise<TestOrder & { exp: number }> {
    await waitFor(() => this.gateway.peers().length > 0, { what: 'the broker to register' });
    for (const seconds of [5, 40]) {
      const exp = nowSeconds() + seconds;
      const order = await this.signed({ exp });
      const { status, error } = await this.outcome(order);
      const told = (kind: string) =>
        this.events(kind).some(({ data }) => data['sessionId'] === order.sessionId);
      if (status === 'started') await waitFor(() => told('ssh.started') || told('ssh.failed'));
      // What is done with it takes a moment, too.
      if (told('ssh.started') && exp * 1000 - Date.now() > 2000) return { ...order, exp };
      if (told('ssh.started'))
        await waitFor(() => told('ssh.ended'), { what: 'the end of one that is nearly over' });
      if (status !== 'started' && error?.code !== 'signature-expired')
        throw new Error(`the session was ${status}: ${error?.message}`);
    }
    throw new Error('no session within 40 s');
  }

  async code(order: TestOrder): Promise<string | undefined> {
    return (await this.outcome(order)).error?.code;
  }

  cancel({ orderId }: TestOrder) {
    return this.gateway.cancel(APP, orderId);
  }

  configure(section: object) {
    return this.gateway.configure(APP, section);
  }

  /** Of the audit, in order. */
  events(kind: string) {
    return this.gateway.events.flatMap(({ event }) => (event.kind === kind ? [event] : []));
  }

  /** As the broker's own file has it. */
  audit(): AuditEntry[] {
    const lines = readFileSync(join(this.folder, 'state', 'audit.ndjson'), 'utf8')
      .trim()
      .split('\n');
    return lines.map((line) => JSON.parse(line) as AuditEntry);
  }

  /** Of sessions. */
  folders(): string[] {
    return readdirSync(join(this.folder, 'state', 'run'));
  }
}
