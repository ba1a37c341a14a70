import { mkdirSync } from 'node:fs';
import { userInfo } from 'node:os';
import { join } from 'node:path';
import type { AdmittedOrder, HubMember, Refusal, SignedOrders, WayOut } from '@bowline/device-app';
import { unverifiedClaims, type Admission } from '@bowline/identity';
import { judgeSsh } from '@bowline/identity/policy';
import type { SshAccess, SshGrant } from '@bowline/messages';
import { check } from '@bowline/messages/check';
import type { AppRequests } from '@bowline/messages/hub';
import { readFileIfPresent, systemUsers, type Clock, type Logger } from '@bowline/runtime';
import { CancelledError, RejectedError, TransientError } from '@bowline/runtime/errors';
import type { BrokerConfig } from '../config.ts';
import { judgeAccess, type LocalFacts } from '../core/judge-access.ts';
import { Pace } from '../core/pace.ts';
import { sessionTimes } from '../core/session-time.ts';
import { order as isAccess } from '../generated/orders.js';
import type { AuditJournal } from './audit-journal.ts';
import { Recorder } from './recorder.ts';
import { RefusedGrants } from './refused-grants.ts';
import type { RunFolder } from './run-folder.ts';
import { makeSessionFolder, removeSessionFolder } from './session-folder.ts';
import type { SessionGroups } from './session-group.ts';
import { SessionProcesses } from './session-processes.ts';
import { cutOff, type SessionOutcome, type SessionRecords } from './session-records.ts';
import { Session } from './session.ts';

export interface BrokerPorts {
  /** What is in force now. */
  config: () => BrokerConfig;
  hub: HubMember;
  clock: Clock;
  log: Logger;
  audit: AuditJournal;
  records: SessionRecords;
  run: RunFolder;
  bootId: string;
  /** The machine's sshd, if there is one now. */
  sshd: () => Promise<string | undefined>;
  /** To relays. */
  way: Pick<WayOut, 'own'>;
  /** Where sessions run. */
  groups: SessionGroups;
  random: () => number;
}

type Handed = AppRequests['order']['request'];

/** Takes grants that the gate and the policy have let through, and makes a session of each. */
export class Broker implements SignedOrders<'sshAccess'> {
  readonly type = 'sshAccess';
  readonly #ports: BrokerPorts;
  /** By order. */
  readonly #sessions = new Map<string, Session>();
  /** Being set up: a user has one session. */
  readonly #opening = new Map<string, SshGrant>();
  /** Called off before they were open. */
  readonly #cancelled = new Set<string>();
  readonly #reporting = new Set<Promise<void>>();
  readonly #pace = new Pace();
  readonly #refused: RefusedGrants;
  #stopping = false;

  constructor(ports: BrokerPorts) {
    this.#ports = ports;
    const { audit, clock, config } = ports;
    this.#refused = new RefusedGrants(audit, clock, () => ({
      burst: config().refusedBurst,
      everyMs: config().refusedEveryMs,
    }));
  }

  signedPart(payload: Handed['payload']): string {
    return check<SshAccess>(isAccess, payload).grant;
  }

  judge: SignedOrders<'sshAccess'>['judge'] = (policy, { user, capabilities, nbf, exp }) =>
    judgeSsh(policy, { user, capabilities, seconds: exp - nbf });

  /** A session of an earlier life of this process: over, whatever its grant says. */
  resumes(orderId: string): boolean {
    return this.#ports.records.get(orderId) !== undefined;
  }

  /** Ends that the gateway may have, though we do not know of it: it takes each once, or has forgotten the order. */
  tellEnds(): void {
    for (const { orderId, outcome } of this.#ports.records.all())
      if (outcome !== undefined) this.#report(orderId, outcome);
  }

  resume({ orderId }: Handed): void {
    const outcome = this.#ports.records.get(orderId)?.outcome;
    if (outcome !== undefined && !this.#sessions.has(orderId)) this.#report(orderId, outcome);
  }

  /** Judges what is the broker's own to judge; the rest goes on by itself. @throws RejectedError */
  async carryOut(order: AdmittedOrder<'sshAccess'>): Promise<void> {
    const { orderId, claims } = order;
    const { clock, config } = this.#ports;
    const sshd = await this.#ports.sshd();
    const access = check<SshAccess>(isAccess, order.payload);
    if (this.#stopping) throw new TransientError('stopping', 'the ssh-broker is stopping');
    // Begun, and no record of it: whoever removed that must not get the session a second time.
    if (order.earlier !== undefined && order.earlier.phase !== 'claimed')
      throw new RejectedError('replayed', 'this grant was used before');
    const refused = judgeAccess(access, claims, this.#facts(sshd));
    if (refused !== undefined) throw new RejectedError(refused.code, refused.message);
    const { grantsBurst: burst, grantsEveryMs: everyMs } = config();
    if (!this.#pace.take(clock.monotonicMs(), { burst, everyMs }))
      throw new RejectedError('too-many-grants', 'too many sessions in too short a time: wait a while');
    this.#opening.set(orderId, claims);
    void this.#open(order, access, sshd ?? '').finally(() => {
      this.#opening.delete(orderId);
      this.#cancelled.delete(orderId);
    });
  }

  refused({ orderId, payload }: Handed, refusal: Refusal, admitted?: Admission<'sshAccess'>): void {
    const { grant } = payload as { grant?: unknown };
    const said = admitted?.claims ?? (typeof grant === 'string' ? unverifiedClaims(grant) : undefined) ?? {};
    this.#refused.note(refusal, { orderId, signer: admitted?.signer, said: { ...said } });
  }

  cancel(orderId: string): AppRequests['cancelOrder']['response'] {
    const session = this.#sessions.get(orderId);
    if (session !== undefined) void session.end('cancelled');
    else if (this.#opening.has(orderId)) this.#cancelled.add(orderId);
    else return { outcome: 'unknown-order' };
    return { outcome: 'stopping' };
  }

  /** Ends every session. @returns once none is left; what the gateway could not be told is told after the next start. */
  async stop(): Promise<void> {
    this.#stopping = true;
    await Promise.all([...this.#sessions.values()].map((session) => session.end('broker-stopped')));
    this.#refused.flush();
  }

  /** Resolves when what has ended was reported, or was given up because the app ends. */
  async reported(): Promise<void> {
    await Promise.all(this.#reporting);
  }

  #facts(sshd: string | undefined): LocalFacts {
    const config = this.#ports.config();
    const users = systemUsers();
    return {
      hasSshd: sshd !== undefined,
      ownUser: userInfo().username,
      isRoot: process.getuid?.() === 0,
      users: new Set(users.keys()),
      hasUserCa: config.userCaFile !== undefined,
      maxStreams: config.maxStreams,
      tunnelHosts: config.tunnelHosts,
      allowInsecure: config.allowInsecure,
      active: [...[...this.#sessions.values()].map(({ grant }) => grant), ...this.#opening.values()],
      maxSessions: config.maxSessions,
    };
  }

  async #open(order: AdmittedOrder<'sshAccess'>, access: SshAccess, sshd: string): Promise<void> {
    const { orderId, claims: grant, signer } = order;
    const { hub, records, log, bootId, groups, audit, clock } = this.#ports;
    const { sessionId, user, by, reason, jti } = grant;
    let folder: string | undefined;
    let processes: SessionProcesses | undefined;
    const receivedAtMs = clock.sinceBootMs();
    try {
      hub.gate.spent.begin(order.id);
      records.put({ orderId, bootId, grant: { sessionId, user, by, reason, jti } });
      const parts = await this.#prepare(grant);
      folder = parts.folder.folder;
      const { hostKey, hostKeySha256 } = parts.folder;
      const { proof } = await hub.client.request('proveHostKey', { sessionId, hostKeySha256 });
      await hub.report({
        orderId,
        status: 'started',
        attempt: order.attempt + 1,
        result: { hostKey, proof },
      });
      if (this.#stopping) throw new CancelledError('stopping', 'the ssh-broker is stopping');
      if (clock.sinceBootMs() >= parts.times.endsAtMs)
        throw new RejectedError('signature-expired', 'its time was up before it could begin');
      processes = new SessionProcesses(sessionId, groups, log, systemUsers().get(user)?.uid);
      const session = new Session(
        { ...parts, grant, access, receivedAtMs, signer, processes },
        this.#sessionPorts(orderId, sshd),
      );
      this.#start(orderId, session);
      if (this.#cancelled.delete(orderId)) void session.end('cancelled');
    } catch (error) {
      if (!(error instanceof Error)) throw error;
      const survivors = (await processes?.end(clock)) ?? 0;
      if (folder !== undefined) removeSessionFolder(folder);
      log.error({ orderId, error }, 'the session could not be opened');
      audit.note(
        'ssh.failed',
        { sessionId, user, by, why: error.message, survivors },
        { severity: 'warning' },
      );
      this.#ended(orderId, cutOff(sessionId, error.message, survivors));
    }
  }

  async #prepare(grant: SshGrant) {
    const { clock, hub, run } = this.#ports;
    const config = this.#ports.config();
    const serverNowMs = hub.serverClock.nowMs();
    if (serverNowMs === undefined)
      throw new RejectedError('no-server-time', 'the time is not known any more');
    const nowMs = clock.sinceBootMs();
    const times = sessionTimes(grant, serverNowMs, nowMs);
    const recorder = grant.record === true ? this.#recorder(grant.user) : undefined;
    const folder = await makeSessionFolder(grant, {
      run,
      sshKeygenPath: config.sshKeygenPath,
      userCaFile: config.userCaFile,
      expiresAtMs: clock.wallMs() + times.endsAtMs - nowMs,
      recorder,
    });
    return { times, folder, recorder };
  }

  #recorder(user: string): Recorder {
    const config = this.#ports.config();
    const folder = join(config.stateDir, 'recordings');
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    const owner = process.getuid?.() === 0 ? systemUsers().get(user) : undefined;
    return new Recorder({
      folder,
      maxBytes: config.recordBytes,
      keep: config.recordingsKept,
      keepOfSession: config.recordingsOfSession,
      owner,
    });
  }

  #sessionPorts(orderId: string, sshdPath: string) {
    const { clock, log, audit, config, way, random } = this.#ports;
    const { tlsCaFile } = config();
    const ca = tlsCaFile === undefined ? undefined : readFileIfPresent(tlsCaFile);
    const note = (text: string) => void this.#ports.hub.client.notify('progress', { orderId, note: text });
    const streamRate = () => ({ burst: config().streamsBurst, everyMs: config().streamsEveryMs });
    return { clock, log: log.child({ orderId }), audit, sshdPath, streamRate, ca, way, random, note };
  }

  #start(orderId: string, session: Session): void {
    this.#sessions.set(orderId, session);
    session.onEnded = (outcome) => {
      this.#sessions.delete(orderId);
      this.#ended(orderId, outcome);
    };
  }

  #ended(orderId: string, outcome: SessionOutcome): void {
    const { records, log } = this.#ports;
    const error = records.ended(orderId, outcome);
    if (error !== undefined) log.error({ orderId, error }, 'the end of a session could not be recorded');
    this.#report(orderId, outcome);
  }

  #report(orderId: string, { status, result, error }: SessionOutcome): void {
    const { hub, records, log } = this.#ports;
    const reporting: Promise<void> = hub
      .report({ orderId, status, result, ...(error === undefined ? {} : { error }) })
      .then(() => {
        const jti = records.get(orderId)?.grant.jti;
        records.remove(orderId);
        if (jti !== undefined) hub.gate.spent.end(jti);
      })
      .catch((cause: unknown) => {
        if (cause instanceof CancelledError) return;
        log.warn({ orderId, error: cause }, 'the end was not taken');
        if (cause instanceof RejectedError && cause.code === 'unknown-order') records.remove(orderId); // forgotten
      })
      .finally(() => this.#reporting.delete(reporting));
    this.#reporting.add(reporting);
  }
}
