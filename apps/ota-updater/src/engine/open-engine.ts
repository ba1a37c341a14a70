import { mkdirSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { HubMember, WayOut } from '@bowline/device-app';
import { isInRollout } from '@bowline/identity';
import { judgeRelease } from '@bowline/identity/policy';
import type { DeviceStatus } from '@bowline/messages/hub';
import { callerEnvironment, DEVICE_APPS, Pm2 } from '@bowline/pm2';
import { bootId, childEnvironment, retry, type Clock, type Logger } from '@bowline/runtime';
import { BowlineError, ConfigError } from '@bowline/runtime/errors';
import { gt } from 'semver';
import { v7 as newId } from 'uuid';
import { readHolds } from '../adapters/holds.ts';
import { safeWindowOpensAt } from '../adapters/maintenance-window.ts';
import { serverAnswers } from '../adapters/outside-probe.ts';
import { sshSessions } from '../adapters/ssh-sessions.ts';
import { StandingFile } from '../adapters/standing-file.ts';
import { StatusFile } from '../adapters/status-file.ts';
import type { UpdaterConfig } from '../config.ts';
import type { Ledger } from '../core/ledger.ts';
import type { ProgressFigures } from '../core/progress.ts';
import { planOf } from '../core/update-state.ts';
import { AppKind } from '../kinds/app-kind.ts';
import { SELF } from '../kinds/launcher-files.ts';
import { ModuleKind } from '../kinds/module-kind.ts';
import { SelfKind } from '../kinds/self-kind.ts';
import type { ReleaseKind } from '../kinds/release-kind.ts';
import type { ReleaseSource } from '../supply/release-source.ts';
import { UpdateEngine } from './engine.ts';
import { Journal } from './journal.ts';
import type { EnginePorts } from './ports.ts';

/** So long an update is put off by holds and shells where the policy says nothing. */
const DEFER_SECONDS = 7 * 24 * 3600;
/** So long what was told of a trial counts: longer than the pause between two looks, with a slow probe in it. */
const TRIAL_TOLD_MS = 120_000;
/** Names in pm2 that no program of the user may have. */
const RESERVED = [...DEVICE_APPS, 'upkeep', 'fleet-server', SELF];

type ProcessKeeper = ConstructorParameters<typeof AppKind>[0]['pm2'] &
  ConstructorParameters<typeof SelfKind>[0]['pm2'];

interface Sources {
  server: ReleaseSource;
  bundle(file: string): ReleaseSource;
}

export interface OpenEngineOptions<S extends Sources> {
  config: UpdaterConfig;
  hub: HubMember;
  /** @param ledger for what is installed. */
  openSources(ledger: Ledger): S;
  /** To the server of the link. */
  way: Pick<WayOut, 'link'>;
  log: Logger;
  clock: Clock;
  signal: AbortSignal;
  /** Default: the kernel's. */
  bootId?: string;
  /** Main file of this process, if it is not what Node was started with. */
  program?: string;
  /** Default: the daemon of `pm2Home`. */
  pm2?: ProcessKeeper;
  /** What must be well after an update of Bowline itself, if not all of its apps. */
  apps?: readonly string[];
  /** Where a test may end the process. */
  checkpoint?: (where: string) => void;
}

export interface OpenEngine<S extends Sources> {
  engine: UpdateEngine;
  ledger: Ledger;
  sources: S;
  close(): Promise<void>;
}

/** The engine on a real device: pm2, files, hub. */
export async function openEngine<S extends Sources>(options: OpenEngineOptions<S>): Promise<OpenEngine<S>> {
  const { config, hub, log, clock, signal, checkpoint } = options;
  const { stateDir, releasesDir, pm2Home } = config;
  makeReleasesDir(releasesDir);
  const higher = (a?: string, b?: string) => (a === undefined || (b !== undefined && gt(b, a)) ? b : a);
  const seam = checkpoint === undefined ? {} : { checkpoint };
  const nowMs = () => Math.round(clock.wallMs());
  const thisBoot = options.bootId ?? bootId();
  const journal = new Journal({ file: join(stateDir, 'updates.journal'), higher, log, nowMs, ...seam });
  const standing = new StandingFile(join(stateDir, 'standing.json'), { log });
  const missing = standing.missing(journal.ledger.image(), higher);
  if (missing !== undefined) {
    log.error({ names: Object.keys(missing.installed) }, 'the journal of updates had lost what stands here');
    const ledger = { ...journal.ledger.image(), ...missing };
    journal.append({ type: 'ledger', ledger, at: nowMs() });
  }
  standing.keep(journal.ledger.image());
  const pm2 = options.pm2 ?? new Pm2({ home: pm2Home, env: callerEnvironment(childEnvironment(), {}) });
  const apps = new AppKind({ releasesDir, pm2, reserved: RESERVED, ...seam });

  const modules = new ModuleKind({
    releasesDir,
    modulesDir: config.modules.dir,
    timeoutMs: config.modules.timeoutMs,
    reboot: config.modules.reboot,
    installed: (name) => journal.ledger.installed(name)?.digest,
    clock,
    ...seam,
  });

  const sources = options.openSources(journal.ledger);

  const self = new SelfKind({
    releasesDir,
    program: options.program ?? process.argv[1] ?? '',
    launcher: config.launcher.file,
    factory: config.launcher.factory,
    stateDir,
    pm2,
    apps: options.apps ?? DEVICE_APPS,
    registered: async () => {
      const known = (await statusOf(hub, signal))?.apps;
      if (known === undefined) return [];
      // The gateway is the one that has answered.
      return ['ws-gateway', ...Object.keys(known).filter((app) => known[app]?.state === 'ready')];
    },
    holdConfig: async (forMs) =>
      (await asked(hub.client.request('holdConfig', { forMs }, { signal })))?.underWay ?? false,
    clock,
    ...seam,
  });
  const kinds: Record<string, ReleaseKind> = { app: apps, self };

  const progress: Record<string, ProgressFigures> = {};
  const readStatus = () => ({ ...journal.ledger.image(), progress, at: nowMs() });
  const status = new StatusFile(join(stateDir, 'status.json'), readStatus, { clock, log });

  const ports: EnginePorts = {
    journal,
    sourceOf: ({ bundle }) => (bundle === undefined ? sources.server : sources.bundle(bundle)),
    kindOf: ({ kind }) => kinds[kind] ?? (kind.startsWith('module:') ? modules : undefined),
    judge: async (plan) => {
      allowAgain(join(stateDir, 'allow'), journal, nowMs());
      return judgeRelease(await hub.readPolicy(), plan);
    },
    circumstances: async () => {
      const { policy } = await hub.readPolicy();
      const { windows, timeZone, maxDeferSeconds = DEFER_SECONDS } = policy.updates ?? {};
      return {
        nowMs: nowMs(),
        holds: readHolds(join(stateDir, 'holds'), clock, thisBoot),
        sshSessions: sshSessions(config.sshRunFolder),
        windowOpensAt: safeWindowOpensAt(windows, nowMs(), timeZone),
        maxDeferMs: maxDeferSeconds * 1000,
      };
    },
    isInRollout: ({ rollout }) => isInRollout(rollout, hub.deviceId ?? ''),
    report: (report) => hub.report(report),
    tell: (id, event) => {
      const at = nowMs();
      const message = { id, type: 'event' as const, sentAt: at, payload: { ...event, at } };
      return retry(() => hub.client.enqueue([message], { signal }), { clock, signal });
    },
    progress: (orderId, figures) => {
      for (const known of Object.keys(progress)) if (known !== orderId) delete progress[known];
      progress[orderId] = figures;
      status.changed();
      const { percent, note, ...data } = figures;
      hub.client.notify('progress', {
        orderId,
        percent,
        ...(note === undefined ? {} : { note: note.slice(0, 1000) }),
        data,
      });
    },
    onTrial: (trial) => {
      const told = trial ?? { release: '', processes: [], endsBy: nowMs() };
      hub.client.notify('trial', { ...told, forMs: trial === undefined ? 0 : TRIAL_TOLD_MS });
    },
    isOnline: () => hub.link === 'online',
    linkServer: async () => (await statusOf(hub, signal))?.link.server,
    outsideReaches: async (until) => {
      const server = (await statusOf(hub, until))?.link.server;
      return server !== undefined && (await serverAnswers(server, until, options.way.link()));
    },
    bootId: thisBoot,
    clock,
    log,
    random: Math.random,
    newId: () => newId(),
    changed: () => {
      standing.keep(journal.ledger.image());
      status.changed();
    },
    limits: config.trial,
    ...seam,
  };
  if (journal.damagedLines > 0)
    void ports
      .tell(newId(), {
        kind: 'update.journal-damaged',
        severity: 'error',
        data: { lines: journal.damagedLines },
      })
      .catch(() => {});
  const engine = new UpdateEngine(ports);
  const switching = journal.ledger.switching();
  if (switching === undefined || planOf(switching)?.kind !== 'self')
    self.settle().catch((error: unknown) => log.error({ error }, 'after the last update of Bowline itself'));
  engine.start();
  for (const name of Object.keys(journal.ledger.image().installed))
    apps
      .ensureRunning(name)
      .catch((error: unknown) => log.warn({ name, error }, 'a program could not be started'));
  return {
    engine,
    ledger: journal.ledger,
    sources,
    close: async () => {
      await engine.stop();
      status.write();
      journal.close();
    },
  };
}

function makeReleasesDir(folder: string): void {
  try {
    mkdirSync(folder, { recursive: true, mode: 0o755 });
  } catch (cause) {
    throw new ConfigError('releases-folder', `releasesDir: ${folder} cannot be made`, { cause });
  }
}

/** undefined while the gateway does not answer. */
const statusOf = (hub: HubMember, signal: AbortSignal): Promise<DeviceStatus | undefined> =>
  asked(hub.client.request('status', {}, { signal }));

/** undefined: the gateway is away, or of a release that does not know such a request. */
async function asked<T>(answer: Promise<T>): Promise<T | undefined> {
  try {
    return await answer;
  } catch (error) {
    if (!(error instanceof BowlineError)) throw error;
    return undefined;
  }
}

/** Releases that a person allows again (`bowline update allow`): a file each, named by the digest. */
function allowAgain(folder: string, journal: Journal, at: number): void {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  for (const digest of readdirSync(folder)) {
    if (journal.ledger.denied(digest) !== undefined) journal.append({ type: 'allowed', digest, at });
    rmSync(join(folder, digest), { force: true });
  }
}
