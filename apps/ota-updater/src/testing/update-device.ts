import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readlinkSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { openTestGateway, type TestGateway } from '@bowline/device-app/testing';
import { createKey, signClaims, signTrustBundle, writeTrustAnchor, type SigningKey } from '@bowline/identity';
import type { SignedUpdate } from '@bowline/messages';
import { callerEnvironment, Pm2 } from '@bowline/pm2';
import type { ReleaseManifest } from '@bowline/releases';
import { allPids, processVariable } from '@bowline/runtime';
import { afterThisFile, startProcess, temporaryFolder, type TestProcess, waitFor } from '@bowline/testing';
import { buildSync } from 'esbuild';
import { v7 as uuidv7 } from 'uuid';

/** Bundled, as on a device: it is started very often, and stripping types is most of a start. */
const PROGRAM = resolve(import.meta.dirname, '../../reports', `engine-process-${process.pid}.mjs`);

function bundle(): void {
  buildSync({
    entryPoints: [join(import.meta.dirname, 'engine-process.ts')],
    outfile: PROGRAM,
    bundle: true,
    format: 'esm',
    platform: 'node',
    conditions: ['@bowline/source'],
    logLevel: 'warning',
    // CommonJS dependencies call `require`; an ES module has none.
    banner: {
      js: "import { createRequire as own } from 'node:module'; const require = own(import.meta.url);",
    },
  });
  afterThisFile(() => rmSync(PROGRAM, { force: true }));
}

const openGateway = (folder: string, server?: string) =>
  openTestGateway(join(folder, 'hub'), { link: 'online', ...(server === undefined ? {} : { server }) });

export interface NewRelease {
  files?: Record<string, string>;
  manifest?: Partial<ReleaseManifest>;
  /** At which pm2 restarts it. */
  memory?: string;
  /** It has no process: its probe alone says whether it is well. */
  filesOnly?: boolean;
}

/** A device with a pm2 of its own, releases in a folder, and the hub of a gateway: what an update needs of the world. */
export class UpdateDevice {
  readonly folder: string;
  readonly pm2: Pm2;
  gateway: TestGateway;
  readonly #key: SigningKey;
  readonly #processes: boolean;
  updater: TestProcess | undefined;
  /** Reboots the device, in place of the system's program. */
  rebootProgram = '/bin/false';
  modulesDir = '/usr/share/mender/modules/v3';
  /** See engine-process.ts, `TEST_FILL`. */
  fillFile: string | undefined;
  /** Of the trial, in `start`. */
  trial: Record<string, number> = {
    graceMs: 400,
    soakMs: 400,
    trialMaxMs: 120_000,
    linkBackMs: 300,
    bootLoopRestarts: 3,
    bootLoopTrials: 3,
    probeFailures: 2,
    observeMs: 50,
    probeTimeoutMs: 1000,
    lookMs: 50,
    stuckMs: 300,
    maxWaiting: 4,
    rebootMs: 5000,
  };

  private constructor(folder: string, pm2: Pm2, gateway: TestGateway, key: SigningKey, processes: boolean) {
    this.folder = folder;
    this.pm2 = pm2;
    this.gateway = gateway;
    this.#key = key;
    this.#processes = processes;
  }

  /** @param processes false: all its releases are files only, and there is no pm2. */
  static async open(
    policy: object = {},
    { server, processes = true }: { server?: string; processes?: boolean } = {},
  ): Promise<UpdateDevice> {
    if (!existsSync(PROGRAM)) bundle();
    const folder = temporaryFolder();
    const [root, key] = [await createKey(), await createKey()];
    writeTrustAnchor(join(folder, 'trust-anchor.json'), { rootThumbprint: root.thumbprint });
    const gateway = await openGateway(folder, server);
    const keys = { root: [root.publicJwk], update: [key.publicJwk], access: [], command: [] };
    gateway.bundles.push(await signTrustBundle({ version: 1, keys, threshold: 1 }, [root]));
    // pm2 puts sockets into its home: it must be short.
    const home = mkdtempSync(join(tmpdir(), 'bwl-pm2-'));
    chmodSync(home, 0o700);
    const pm2 = new Pm2({ home, env: callerEnvironment(process.env, { PM2_WORKER_INTERVAL: '300' }) });
    if (processes) await pm2.startDaemon();
    const device = new UpdateDevice(folder, pm2, gateway, key, processes);
    device.setPolicy(policy);
    for (const each of ['state', 'releases', 'source']) mkdirSync(join(folder, each), { mode: 0o700 });
    afterThisFile(() => device.close());
    return device;
  }

  /** Holds the id of the boot, once a test has rebooted the device. */
  get bootFile(): string {
    return join(this.folder, 'boot');
  }

  setPolicy(updates: object): void {
    const policy = { updates: { channels: ['stable'], ...updates } };
    writeFileSync(join(this.folder, 'policy.json'), JSON.stringify(policy), { mode: 0o600 });
  }

  /** Where the updater is killed: see engine-process.ts. */
  dieAt(points: number | readonly string[]): void {
    writeFileSync(this.dieFile, JSON.stringify(points));
  }

  get dieFile(): string {
    return join(this.folder, 'die');
  }

  /** The updater, from its sources. */
  start(): TestProcess {
    const { program, args, env } = this.command();
    this.updater = startProcess(process.execPath, [program, ...args], { env: { ...process.env, ...env } });
    return this.updater;
  }

  /** What starts the updater, beside the environment of the tests. */
  command(): { program: string; args: string[]; env: Record<string, string> } {
    const config = {
      stateDir: join(this.folder, 'state'),
      hubFolder: join(this.folder, 'hub'),
      policyFile: join(this.folder, 'policy.json'),
      trustAnchorFile: join(this.folder, 'trust-anchor.json'),
      releasesDir: join(this.folder, 'releases'),
      pm2Home: this.pm2.home,
      sshRunFolder: join(this.folder, 'ssh'),
      logLevel: 'info',
      trial: this.trial,
      modules: { dir: this.modulesDir, timeoutMs: 60_000, reboot: [this.rebootProgram] },
      launcher: { file: join(this.folder, 'launch'), factory: join(this.folder, 'factory') },
    };
    const file = join(this.folder, 'ota-updater.json');
    writeFileSync(file, JSON.stringify(config), { mode: 0o600 });
    const env = {
      TEST_SOURCE: join(this.folder, 'source'),
      TEST_BOOT: this.bootFile,
      TEST_DIE: this.dieFile,
      ...(this.#processes ? {} : { TEST_NO_PM2: '1' }),
      ...(this.fillFile === undefined ? {} : { TEST_FILL: this.fillFile }),
      // What was compiled once need not be again.
      NODE_COMPILE_CACHE: join(this.folder, 'compiled'),
    };
    return { program: PROGRAM, args: ['--config', file], env };
  }

  /** Puts a release where the updater finds it. Without files: a program that stays up, started by pm2. */
  release(
    name: string,
    version: string,
    { files = {}, manifest, memory, filesOnly = !this.#processes }: NewRelease = {},
  ): void {
    const tree = join(this.folder, 'source', name, version);
    const more = memory === undefined ? '' : `, max_memory_restart: '${memory}'`;
    const program = {
      // As docs/releases.md has it: what the updater needs of pm2 it must see to itself.
      'ecosystem.config.cjs': `module.exports = { apps: [{ name: '${name}', script: 'app.js', cwd: __dirname${more} }] };`,
      'app.js': `setInterval(() => {}, 1e6); console.log('this is ${version}');`,
    };
    const all: Record<string, string> = {
      ...(filesOnly ? {} : program),
      'version.txt': version,
      ...files,
    };
    for (const [path, content] of Object.entries(all)) {
      mkdirSync(join(tree, path, '..'), { recursive: true });
      writeFileSync(join(tree, path), content, { mode: content.startsWith('#!') ? 0o755 : 0o644 });
    }
    if (manifest !== undefined) writeFileSync(`${tree}.json`, JSON.stringify(manifest));
  }

  async order(name: string | undefined, version: string, change: Partial<SignedUpdate> = {}) {
    const exp = Math.floor(Date.now() / 1000) + 600;
    const claims = { aud: 'd1', jti: uuidv7(), exp, channel: 'stable', version, ...change };
    if (name !== undefined) Object.assign(claims, { name });
    const order = await signClaims('softwareUpdate', this.#key, claims);
    return { orderId: uuidv7(), type: 'softwareUpdate' as const, payload: { order } };
  }

  /** Orders it and waits for its end. */
  async update(name: string, version: string, change: Partial<SignedUpdate> = {}) {
    const order = await this.order(name, version, change);
    await this.gateway.hand('ota-updater', order);
    return this.ended(order.orderId);
  }

  ended(orderId: string) {
    const ends = ['succeeded', 'failed', 'cancelled', 'rejected', 'indeterminate'];
    const { reports } = this.gateway;
    const end = () => reports.find((each) => each.orderId === orderId && ends.includes(each.status));
    return waitFor(end, { what: `the end of ${orderId}`, timeoutMs: 90_000 });
  }

  /** Waits until the updater has on record that the gateway knows the end of this order. */
  async told(orderId: string): Promise<'told'> {
    const file = join(this.folder, 'state', 'updates.journal');
    await waitFor(() =>
      readFileSync(file, 'utf8')
        .split('\n')
        .some((line) => line.includes(orderId) && line.includes('"type":"told"')),
    );
    return 'told';
  }

  /** What the program that is in place says it is; undefined if nothing is. */
  inPlace(name: string): string | undefined {
    const file = join(this.folder, 'releases', name, 'current', 'version.txt');
    return existsSync(file) ? readFileSync(file, 'utf8') : undefined;
  }

  /** Version of the tree in which the process of this name works; undefined if none runs. */
  async running(name: string): Promise<string | undefined> {
    const entry = (await this.pm2.list()).find((each) => each.name === name);
    if (entry === undefined || entry.status !== 'online' || entry.pid === 0) return undefined;
    return readFileSync(join(readlinkSync(`/proc/${entry.pid}/cwd`), 'version.txt'), 'utf8');
  }

  /** The gateway that comes back knows nothing of what was reported before. */
  async withoutGateway(act: () => Promise<void>): Promise<void> {
    const { bundles } = this.gateway;
    await this.gateway.close();
    await act();
    this.gateway = await openGateway(this.folder);
    this.gateway.bundles.push(...bundles);
  }

  async close(): Promise<void> {
    await this.updater?.kill();
    await this.#endPm2();
    await this.gateway.close();
    rmSync(this.pm2.home, { recursive: true, force: true });
  }

  /** What the updater had asked of pm2 when it was killed goes on without it, and starts a daemon that is not there any more. */
  async #endPm2(): Promise<void> {
    const { pm2 } = this;
    const isOfIt = (pid: number) => {
      try {
        return processVariable(pid, 'PM2_HOME') === pm2.home;
      } catch {
        return false; // gone meanwhile
      }
    };
    const isOver = async () => {
      if (await pm2.isRunning()) await pm2.kill();
      return !allPids().some(isOfIt);
    };
    await waitFor(isOver, { what: 'the end of pm2', everyMs: 50 });
  }
}
