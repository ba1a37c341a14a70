import type { SignedClaims } from '@bowline/messages';
import { InternalError } from '@bowline/runtime/errors';

/** What the update of one order is about, as far as it must survive a crash. */
export interface PlannedRelease {
  name: string;
  version: string;
  /** `app`, `self` or `module:TYPE`. */
  kind: string;
  /** SHA-256 of the manifest. */
  digest: string;
  files: number;
  totalBytes: number;
  fetchBytes: number;
  reusedBytes: number;
  diskBytes: number;
  inodes: number;
  minSecureVersion?: string;
  probe?: { command?: string[]; http?: string; timeoutMs?: number };
}

/** What stood under the name before the switch; without a digest: nothing. */
export interface Previous {
  digest?: string;
  /** The link to the cloud was up when the switch began: only then can the new release have lost it. */
  online: boolean;
  /** Address of the link's server as it was known before. */
  server?: string;
}

export interface Failure {
  code: string;
  message: string;
  /** Last lines of what the release wrote. */
  log?: string[];
  /** The release itself is at fault: its digest is not tried again by itself. */
  deny: boolean;
}

interface Update {
  orderId: string;
  /** Claims of the order. */
  order: UpdateClaims;
  /** Of the event that tells its end, so that it is told once. */
  eventId: string;
  /** Wall clock of the device, epoch milliseconds: for people only. */
  at: number;
  acceptedAt: number;
  /** The boot in which it was accepted, and when in that boot, milliseconds. */
  acceptedIn?: InBoot;
  /** The file that a person brought the release in; absent: it comes from the update server. */
  bundle?: string;
}
/** A moment on the clock of one boot of the device. */
export interface InBoot {
  id: string;
  atMs: number;
}
interface Planned extends Update {
  plan: PlannedRelease;
}
interface Switching extends Planned {
  previous: Previous;
  /** The new release had the device rebooted, by itself or by us; then the way back takes a reboot, too. */
  reboot?: Reboot;
}
/** Who reboots the device: a program of the release, or we. */
export type Reboot = 'itself' | 'by-us';
/** It is over; `told` once the gateway has the end of the order and the event on disk. */
interface Ended {
  told: boolean;
}

/** Of the order, its signature checked. */
export type UpdateClaims = SignedClaims<'softwareUpdate'>;

/** One update from its order to its end. */
export type UpdateState =
  | (Update & { phase: 'accepted' })
  | (Update & { phase: 'deferred'; why: string; plan?: PlannedRelease })
  | (Planned & { phase: 'fetching' | 'verified' | 'staging' | 'staged' })
  | (Planned & { phase: 'waiting'; why: string })
  | (Switching & { phase: 'switching' })
  /** `bootId`: of the boot that is to end. */
  | (Switching & { phase: 'rebooting'; reboot: Reboot; bootId: string })
  /** `begunMs`: when this boot began it, milliseconds since that boot. */
  | (Switching & { phase: 'trial'; trial: number; bootId: string; begunMs?: number })
  | (Switching & { phase: 'committing' })
  | (Switching & { phase: 'rolling-back'; failure: Failure })
  | (Switching & { phase: 'rebooting-back'; failure: Failure; bootId: string; attempt: number })
  /** `started`: it was in place already, and did not run. */
  | (Planned & Ended & { phase: 'committed'; changed: boolean; started?: boolean })
  | (Switching & Ended & { phase: 'rolled-back'; failure: Failure; degraded?: string })
  | (Update & Ended & { phase: 'failed'; failure: Failure; plan?: PlannedRelease })
  | (Update & Ended & { phase: 'cancelled'; plan?: PlannedRelease })
  | (Planned & Ended & { phase: 'previewed'; preview: Record<string, unknown> });
export type Phase = UpdateState['phase'];
export type EndedUpdate = Extract<UpdateState, { told: boolean }>;

/** One line of the journal. What is about to be done is written before it is done. */
export type UpdateRecord = { orderId: string; at: number } & (
  | { type: 'accepted'; order: UpdateClaims; eventId: string; in?: InBoot; bundle?: string }
  | { type: 'deferred'; why: string; plan?: PlannedRelease }
  | { type: 'fetching'; plan: PlannedRelease }
  | { type: 'verified' | 'staging' | 'staged' }
  | { type: 'waiting'; why: string }
  | { type: 'switching'; previous: Previous }
  | { type: 'rebooting'; reboot: Reboot; bootId: string }
  | { type: 'trial'; trial: number; bootId: string; begunMs?: number }
  | { type: 'committing' }
  | { type: 'committed'; plan?: PlannedRelease; started?: boolean }
  | { type: 'rolling-back'; failure: Failure }
  | { type: 'rebooting-back'; bootId: string; attempt: number }
  | { type: 'rolled-back'; degraded?: string }
  | { type: 'failed'; failure: Failure; plan?: PlannedRelease }
  | { type: 'cancelled' }
  | { type: 'previewed'; plan: PlannedRelease; preview: Record<string, unknown> }
  | { type: 'told' }
);

const BEFORE_SWITCH: readonly Phase[] = [
  'accepted',
  'deferred',
  'fetching',
  'verified',
  'staging',
  'staged',
  'waiting',
];
const ENDS: readonly Phase[] = ['committed', 'rolled-back', 'failed', 'cancelled', 'previewed'];

/** From which phases a record may come. Nothing leads back from `committed`. */
const FROM: Record<UpdateRecord['type'], readonly Phase[]> = {
  accepted: [],
  deferred: ['accepted', 'deferred', 'fetching'],
  fetching: ['accepted', 'deferred', 'staging', 'staged', 'waiting'],
  verified: ['fetching'],
  staging: ['verified'],
  staged: ['staging'],
  waiting: ['staged', 'waiting'],
  switching: ['staged', 'waiting'],
  rebooting: ['switching'],
  trial: ['switching', 'rebooting', 'trial'],
  committing: ['trial'],
  committed: ['accepted', 'deferred', 'committing'],
  'rolling-back': ['switching', 'rebooting', 'trial', 'committing'],
  'rebooting-back': ['rolling-back', 'rebooting-back'],
  'rolled-back': ['rolling-back', 'rebooting-back'],
  failed: BEFORE_SWITCH,
  cancelled: BEFORE_SWITCH,
  previewed: ['accepted', 'deferred'],
  told: ENDS,
};

/** Whether this program knows such a record: a newer one may have written others, before it gave its place back. */
export const isKnownRecord = ({ type }: { type: string }): boolean => Object.hasOwn(FROM, type);
/** The same of a phase. */
export const isKnownPhase = ({ phase }: { phase: string }): boolean =>
  ENDS.some((end) => end === phase) ||
  Object.values(FROM).some((from) => from.some((each) => each === phase));

export const isEnded = (state: UpdateState): state is EndedUpdate => ENDS.includes(state.phase);
/** Nothing of it is on the device yet: another may go first. */
export const hasNotBegun = ({ phase }: UpdateState): boolean => phase === 'accepted' || phase === 'deferred';
/** It is laid out, and waits for its moment. */
export const awaitsMoment = ({ phase }: UpdateState): boolean => phase === 'staged' || phase === 'waiting';
/** Nothing on the device has changed yet that runs. */
export const isBeforeSwitch = ({ phase }: UpdateState): boolean => BEFORE_SWITCH.includes(phase);

/**
 * The state after a record.
 *
 * @throws InternalError `impossible-record` for one that cannot come here.
 */
export function transition(state: UpdateState | undefined, record: UpdateRecord): UpdateState {
  const { at } = record;
  if (record.type === 'accepted') {
    if (state !== undefined) throw impossible(state, record);
    const { orderId, order, eventId, bundle } = record;
    const accepted = { phase: 'accepted', orderId, order, eventId, at, acceptedAt: at } as const;
    return {
      ...accepted,
      ...(record.in === undefined ? {} : { acceptedIn: record.in }),
      ...(bundle === undefined ? {} : { bundle }),
    };
  }
  if (state === undefined || !FROM[record.type].includes(state.phase)) throw impossible(state, record);
  const base: Update = { ...pick(state), at };
  switch (record.type) {
    case 'deferred': {
      const plan = record.plan ?? planOf(state);
      return { ...base, phase: 'deferred', why: record.why, ...(plan === undefined ? {} : { plan }) };
    }
    case 'fetching':
      return { ...base, phase: 'fetching', plan: record.plan };
    case 'verified':
    case 'staging':
    case 'staged':
      return { ...base, phase: record.type, plan: planned(state, record) };
    case 'waiting':
      return { ...base, phase: 'waiting', plan: planned(state, record), why: record.why };
    case 'switching':
      return { ...base, phase: 'switching', plan: planned(state, record), previous: record.previous };
    case 'rebooting': {
      const { reboot, bootId } = record;
      return { ...base, ...switching(state, record), phase: 'rebooting', reboot, bootId };
    }
    case 'trial':
      return {
        ...base,
        ...switching(state, record),
        phase: 'trial',
        trial: record.trial,
        bootId: record.bootId,
        ...(record.begunMs === undefined ? {} : { begunMs: record.begunMs }),
      };
    case 'committing':
      return { ...base, ...switching(state, record), phase: 'committing' };
    case 'committed': {
      const plan = record.plan ?? planned(state, record);
      const committed = {
        ...base,
        phase: 'committed',
        plan,
        changed: state.phase === 'committing',
        told: false,
      } as const;
      return record.started === undefined ? committed : { ...committed, started: record.started };
    }
    case 'rolling-back':
      return { ...base, ...switching(state, record), phase: 'rolling-back', failure: record.failure };
    case 'rebooting-back': {
      if (!('failure' in state)) throw impossible(state, record);
      const { bootId, attempt } = record;
      const { failure } = state;
      return { ...base, ...switching(state, record), phase: 'rebooting-back', failure, bootId, attempt };
    }
    case 'rolled-back': {
      if (state.phase !== 'rolling-back' && state.phase !== 'rebooting-back') throw impossible(state, record);
      const { failure } = state;
      const ended = {
        ...base,
        ...switching(state, record),
        phase: 'rolled-back',
        failure,
        told: false,
      } as const;
      return record.degraded === undefined ? ended : { ...ended, degraded: record.degraded };
    }
    case 'failed': {
      const plan = record.plan ?? planOf(state);
      const ended = { ...base, phase: 'failed', failure: record.failure, told: false } as const;
      return plan === undefined ? ended : { ...ended, plan };
    }
    case 'cancelled': {
      const plan = planOf(state);
      return { ...base, phase: 'cancelled', told: false, ...(plan === undefined ? {} : { plan }) };
    }
    case 'previewed':
      return { ...base, phase: 'previewed', plan: record.plan, preview: record.preview, told: false };
    case 'told':
      if (!isEnded(state)) throw impossible(state, record);
      return { ...state, told: true };
  }
}

export const planOf = (state: UpdateState): PlannedRelease | undefined =>
  'plan' in state ? state.plan : undefined;

const pick = ({ orderId, order, eventId, acceptedAt, acceptedIn, bundle }: UpdateState) => ({
  orderId,
  order,
  eventId,
  acceptedAt,
  ...(acceptedIn === undefined ? {} : { acceptedIn }),
  ...(bundle === undefined ? {} : { bundle }),
});

function planned(state: UpdateState, record: UpdateRecord): PlannedRelease {
  const plan = planOf(state);
  if (plan === undefined) throw impossible(state, record);
  return plan;
}

function switching(
  state: UpdateState,
  record: UpdateRecord,
): Pick<Switching, 'plan' | 'previous' | 'reboot'> {
  if (!('previous' in state)) throw impossible(state, record);
  const { plan, previous, reboot } = state;
  return { plan, previous, ...(reboot === undefined ? {} : { reboot }) };
}

const impossible = (state: UpdateState | undefined, { type, orderId }: UpdateRecord) =>
  new InternalError('impossible-record', `${type} cannot follow ${state?.phase ?? 'nothing'} (${orderId})`);
