import type { WayOut } from '@bowline/device-app';
import type { SshAccess, SshGrant, TunnelPaired } from '@bowline/messages';
import type { Logger } from '@bowline/runtime';
import type { Clock, Timer } from '@bowline/runtime/clock';
import { carry, type TunnelEnd } from '@bowline/tunnel';
import { LAST_RESORT_AFTER_MS } from '../core/last-resort.ts';
import type { Rate } from '../core/pace.ts';
import { dueAt, WARNING_MS, type EndReason, type SessionTimes, type Warning } from '../core/session-time.ts';
import type { AuditJournal } from './audit-journal.ts';
import type { Recorder } from './recorder.ts';
import { removeSessionFolder, type SessionFolder } from './session-folder.ts';
import type { SessionProcesses } from './session-processes.ts';
import type { SessionOutcome } from './session-records.ts';
import { Tunnel } from './tunnel.ts';
import { warnTerminals } from './warn-terminals.ts';

export interface SessionPorts {
  clock: Clock;
  log: Logger;
  audit: AuditJournal;
  sshdPath: string;
  /** At which connections may begin. */
  streamRate: () => Rate;
  ca: string | undefined;
  /** To the relay. */
  way: Pick<WayOut, 'own'>;
  random: () => number;
  /** Live only: what those who wait for the session are told. */
  note: (text: string) => void;
}

export interface SessionParts {
  grant: SshGrant;
  access: Pick<SshAccess, 'tunnelUrl' | 'token'>;
  times: SessionTimes;
  folder: SessionFolder;
  processes: SessionProcesses;
  recorder: Recorder | undefined;
  /** When the grant came, since boot. */
  receivedAtMs: number;
  /** Thumbprint of the key that signed the grant. */
  signer: string;
}

const TICK_MS = 250;
/** Terminals that come in the last minute are looked for so often. */
const LOOK_EVERY_MS = 1000;
/** After sshd's own end, or the operator's, its process is not waited for longer. */
const SSHD_GRACE_MS = 2000;

/** One granted session, from its first socket standing by to the last of its processes. */
export class Session {
  readonly grant: SshGrant;
  readonly #parts: SessionParts;
  readonly #ports: SessionPorts;
  readonly #startedAtMs: number;
  readonly #bytes = { sent: 0, received: 0 };
  readonly #tunnel: Tunnel;
  #streams = 0;
  /** From the grant to the first byte of sshd. */
  #firstByteMs: number | undefined;
  #activeAtMs: number;
  /** Since the last look at the time. */
  #moved = false;
  readonly #warned = new Set<Warning>();
  /** Terminals that were told of the expiry. */
  readonly #told = new Set<string>();
  #lookedAtMs = 0;
  #timer: Timer | undefined;
  #ended: Promise<SessionOutcome> | undefined;
  /** Called once with the outcome. */
  onEnded: (outcome: SessionOutcome) => void = () => undefined;

  constructor(parts: SessionParts, ports: SessionPorts) {
    this.grant = parts.grant;
    this.#parts = parts;
    this.#ports = ports;
    this.#startedAtMs = ports.clock.sinceBootMs();
    this.#activeAtMs = this.#startedAtMs;
    const { sessionId, user, by, reason, capabilities, streams } = this.grant;
    ports.audit.append('ssh.started', {
      sessionId,
      user,
      by,
      signer: parts.signer,
      reason,
      capabilities: capabilities.join(' '),
      cgroup: parts.processes.group.holds,
      ...(parts.processes.group.unit === undefined ? {} : { unit: parts.processes.group.unit }),
    });
    parts.processes.endAtTheLatest(parts.times.endsAtMs - this.#startedAtMs + LAST_RESORT_AFTER_MS);
    this.#tunnel = new Tunnel(
      {
        url: parts.access.tunnelUrl,
        token: parts.access.token,
        streams,
        rate: ports.streamRate,
        ca: ports.ca,
        proxy: () => ports.way.own(),
        clock: ports.clock,
        log: ports.log,
        random: ports.random,
      },
      {
        onStream: (end, paired) => this.#open(end, paired),
        onTrouble: (why) => ports.note(`the device cannot reach the relay, and tries again: ${why}`),
        onOver: (why) => void this.end(why === 'session-over' ? 'ended-by-operator' : 'tunnel-refused'),
      },
    );
    this.#tick();
  }

  /** Ends it, however often it is asked; the first reason counts. @returns once nothing of it is left. */
  end(reason: EndReason): Promise<SessionOutcome> {
    this.#ended ??= this.#end(reason);
    return this.#ended;
  }

  /** @returns once its sshd has ended. */
  #open(end: TunnelEnd, { stream, operator, remote }: TunnelPaired): Promise<void> {
    const { processes, folder } = this.#parts;
    const { sessionId, user } = this.grant;
    this.#streams += 1;
    this.#activeAtMs = this.#ports.clock.sinceBootMs();
    this.#ports.audit.note('ssh.stream', { sessionId, user, stream, operator }, { from: remote });
    try {
      folder.letInUntil(this.#ports.clock.wallMs() + this.#parts.times.endsAtMs - this.#activeAtMs);
    } catch (error) {
      this.#ports.log.warn({ sessionId, error }, 'the key of the session could not be written anew');
    }
    const sshd = processes.start(this.#streams, this.#ports.sshdPath, folder.config);
    let before = { sent: 0, received: 0 };
    carry(end, { source: sshd.stdout, sink: sshd.stdin }, (bytes) => {
      this.#bytes.sent += bytes.sent - before.sent;
      this.#bytes.received += bytes.received - before.received;
      before = { ...bytes };
      if (bytes.sent > 0)
        this.#firstByteMs ??= Math.round(this.#ports.clock.sinceBootMs() - this.#parts.receivedAtMs);
      this.#moved = true; // the time since boot is too dear to be asked for each piece
    });
    end.onClose(() => {
      setTimeout(() => sshd.stop(), SSHD_GRACE_MS).unref();
    });
    return new Promise((gone) => {
      for (const event of ['exit', 'error']) sshd.once(event, () => gone());
    });
  }

  #tick(): void {
    this.#timer = this.#ports.clock.after(TICK_MS, () => {
      const nowMs = this.#ports.clock.sinceBootMs();
      if (this.#moved) {
        this.#activeAtMs = nowMs;
        this.#warned.delete('idle');
        this.#moved = false;
      }
      const due = dueAt(this.#parts.times, { nowMs, activeAtMs: this.#activeAtMs, warned: this.#warned });
      if (due === 'warn-expiry') this.#ports.note(this.#expiryWarning(nowMs));
      if (due === 'warn-idle') this.#warnOfIdling();
      if (due === 'warn-expiry') this.#warned.add('expiry');
      if (this.#warned.has('expiry')) this.#warnOfExpiry(nowMs);
      if (due === 'expired' || due === 'idle') return void this.end(due);
      this.#tick();
      return undefined;
    });
  }

  /** Each terminal once, those that are opened within the last minute, too. */
  #warnOfExpiry(nowMs: number): void {
    if (nowMs - this.#lookedAtMs < LOOK_EVERY_MS) return;
    this.#lookedAtMs = nowMs;
    warnTerminals(this.#parts.processes.pids(), this.#expiryWarning(nowMs), this.#told);
  }

  #warnOfIdling(): void {
    this.#warned.add('idle');
    const text = endsIn(WARNING_MS, 'ends, unless it is used,');
    this.#ports.note(text);
    warnTerminals(this.#parts.processes.pids(), text, new Set());
  }

  #expiryWarning(nowMs: number): string {
    return endsIn(this.#parts.times.endsAtMs - nowMs, 'ends');
  }

  async #end(end: EndReason): Promise<SessionOutcome> {
    const { clock, audit, log } = this.#ports;
    const { processes, folder, recorder } = this.#parts;
    this.#timer?.cancel();
    this.#tunnel.close();
    const survivors = await processes.end(clock);
    const { sessionId, user, by } = this.grant;
    if (recorder !== undefined) await this.#keepRecordings(recorder);
    removeSessionFolder(folder.folder);
    const result = {
      sessionId,
      end,
      seconds: Math.round((clock.sinceBootMs() - this.#startedAtMs) / 1000),
      streams: this.#streams,
      bytesUp: this.#bytes.sent,
      bytesDown: this.#bytes.received,
      survivors,
      ...(this.#firstByteMs === undefined ? {} : { firstByteMs: this.#firstByteMs }),
    };
    audit.note('ssh.ended', { ...result, user, by }, { severity: survivors === 0 ? 'info' : 'critical' });
    if (survivors > 0) log.error({ sessionId, survivors }, 'processes of a session did not end');
    const outcome = outcomeOf(result);
    this.onEnded(outcome);
    return outcome;
  }

  /** Whatever becomes of them, the session ends. */
  async #keepRecordings(recorder: Recorder): Promise<void> {
    const { clock, audit, log } = this.#ports;
    const { sessionId, user, by } = this.grant;
    try {
      const { kept, left } = await recorder.collect(this.grant, this.#parts.folder.folder, clock.wallMs());
      for (const recording of kept) audit.note('ssh.recorded', { sessionId, user, by, ...recording });
      if (left > 0) log.warn({ sessionId, left }, 'more recordings than are kept of one session');
    } catch (error) {
      log.error({ sessionId, error }, 'recordings could not be kept');
      audit.note('ssh.recording-lost', { sessionId, user, by }, { severity: 'warning' });
    }
  }
}

const endsIn = (ms: number, ends: string): string =>
  `bowline: this session ${ends} in ${Math.round(ms / 1000)} seconds, with all that was started in it.`;

function outcomeOf(result: SessionOutcome['result'] & { end: EndReason }): SessionOutcome {
  const failed = (error: { code: string; message: string }): SessionOutcome => ({
    status: 'failed',
    result,
    error,
  });
  switch (result.end) {
    case 'cancelled':
      return { status: 'cancelled', result };
    case 'broker-stopped':
      return failed({ code: 'session-cut-off', message: 'the ssh-broker was stopped: ask for a new grant' });
    case 'tunnel-refused':
      return failed({
        code: 'tunnel-refused',
        message: 'the relay takes none of the tokens of this session',
      });
    default:
      return { status: 'succeeded', result };
  }
}
