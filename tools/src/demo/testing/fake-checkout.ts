import { spawn } from 'node:child_process';
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { endRun } from '../end-run.ts';
import { demoLayout, type DemoLayout } from '../layout.ts';
import { markedProcesses } from '../marked-processes.ts';

const CHECKOUT = resolve(import.meta.dirname, '../../../..');
const APPS = [
  'fleet-server',
  'ws-gateway',
  'command-executor',
  'telemetry-collector',
  'ota-updater',
  'ssh-broker',
  'cli',
];

export interface Ended {
  code: number | null;
  output: string;
}

/** Where the lockfile has packages: `node_modules`, and that of a workspace which needs another version of one. */
function foldersOfPackages(): Set<string> {
  const lock = JSON.parse(readFileSync(join(CHECKOUT, 'package-lock.json'), 'utf8')) as { packages: object };
  const [end, paths] = ['node_modules', Object.keys(lock.packages)];
  return new Set(
    paths.filter((path) => path.includes(end)).map((path) => path.slice(0, path.indexOf(end) + end.length)),
  );
}

/** A checkout in a temporary folder: the demo and pm2 are real, the apps are stand-ins (fixtures/fake-app.js). */
export class FakeCheckout {
  readonly root: string;
  readonly folder: string;
  readonly #started: ReturnType<typeof spawn>[] = [];

  /** @param options.pathLength adds folders until the checkout's path has so many characters. */
  constructor({ pathLength = 0 }: { pathLength?: number } = {}) {
    this.root = mkdtempSync(join(tmpdir(), 'bowline-demo-'));
    let folder = join(this.root, 'checkout');
    while (folder.length < pathLength)
      folder = join(folder, 'd'.repeat(Math.min(40, pathLength - folder.length)));
    this.folder = folder;
    mkdirSync(join(folder, 'tools/src'), { recursive: true });
    cpSync(join(CHECKOUT, 'tools/src/demo'), join(folder, 'tools/src/demo'), { recursive: true });
    mkdirSync(join(folder, 'deploy'));
    for (const part of ['ecosystem.config.cjs', 'privileges.config.cjs', 'logrotate']) {
      cpSync(join(CHECKOUT, 'deploy', part), join(folder, 'deploy', part), { recursive: true });
    }
    for (const file of ['package.json', 'package-lock.json'])
      cpSync(join(CHECKOUT, file), join(folder, file));
    for (const each of foldersOfPackages()) {
      mkdirSync(dirname(join(folder, each)), { recursive: true });
      symlinkSync(join(CHECKOUT, each), join(folder, each));
    }
    for (const app of APPS) {
      mkdirSync(join(folder, 'apps', app, 'dist'), { recursive: true });
      cpSync(join(import.meta.dirname, '../fixtures/fake-app.js'), join(folder, 'apps', app, 'dist/main.js'));
    }
    writeFileSync(join(folder, 'apps/cli/dist/main.js'), '');
  }

  get layout(): DemoLayout {
    return demoLayout(this.folder, {});
  }

  /** `npm start`, with the apps as they are. */
  start(args: readonly string[] = [], options: { uid?: number } = {}): Promise<Ended> {
    return ended(this.launch('start.ts', ['--no-build', ...args], options));
  }

  stop(): Promise<Ended> {
    return ended(this.launch('stop.ts', []));
  }

  launch(script: string, args: readonly string[], options: { uid?: number } = {}): ReturnType<typeof spawn> {
    const { XDG_RUNTIME_DIR: _, ...env } = process.env;
    const child = spawn(process.execPath, [join(this.folder, 'tools/src/demo', script), ...args], {
      cwd: this.folder,
      env,
      stdio: ['ignore', 'pipe', 'pipe'],
      ...options,
    });
    this.#started.push(child);
    return child;
  }

  /** Pids of everything that belongs to this demo, but for the upkeep, which comes and goes. */
  processes(): number[] {
    const upkeep = join(this.folder, 'apps/cli/dist/main.js');
    return markedProcesses(this.layout.runDir).filter((pid) => !commandOf(pid).includes(upkeep));
  }

  pidOf(app: string): number {
    const file = readdirSync(join(this.layout.pm2Home, 'pids')).find((name) => name.startsWith(`${app}-`));
    return Number(readFileSync(join(this.layout.pm2Home, 'pids', file ?? ''), 'utf8'));
  }

  /** Asks an app for bad behaviour (see fixtures/fake-app.js) from its next start on. */
  ask(app: string, behaviour: 'crash' | 'deaf' | 'mute'): void {
    mkdirSync(this.#stateOf(app), { recursive: true });
    writeFileSync(join(this.#stateOf(app), behaviour), '');
  }

  askNoMore(app: string, behaviour: 'crash' | 'deaf' | 'mute'): void {
    rmSync(join(this.#stateOf(app), behaviour));
  }

  #stateOf(app: string): string {
    return app === 'fleet-server' ? this.layout.serverDir : join(this.layout.stateDir, app);
  }

  /** A node_modules with links to all packages but one. */
  forget(name: string): void {
    const real = join(CHECKOUT, 'node_modules');
    const own = join(this.folder, 'node_modules');
    rmSync(own);
    mkdirSync(own);
    for (const entry of readdirSync(real))
      if (entry !== name) symlinkSync(join(real, entry), join(own, entry));
  }

  async dispose(): Promise<void> {
    for (const child of this.#started) child.kill('SIGKILL');
    if (existsSync(this.layout.home)) await endRun(this.layout);
    rmSync(this.root, { recursive: true, force: true });
  }
}

function commandOf(pid: number): string[] {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
  } catch {
    return []; // ended meanwhile
  }
}

export function ended(child: ReturnType<typeof spawn>): Promise<Ended> {
  let output = '';
  child.stdout?.on('data', (data) => (output += String(data)));
  child.stderr?.on('data', (data) => (output += String(data)));
  return new Promise((done) => child.on('close', (code) => done({ code, output })));
}
