import type { Event } from '@bowline/messages';
import type { TrialView } from '@bowline/messages/hub';
import type { Clock, Logger } from '@bowline/runtime';
import type { TrialLimits } from '../core/judge-trial.ts';
import type { SwitchView } from '../core/may-switch.ts';
import type { ProgressFigures } from '../core/progress.ts';
import type { PlannedRelease, UpdateClaims, UpdateState } from '../core/update-state.ts';
import type { ReleaseKind } from '../kinds/release-kind.ts';
import type { ReleaseSource } from '../supply/release-source.ts';
import type { Journal } from './journal.ts';

export interface EngineLimits extends TrialLimits {
  /** Pause between two looks at a release on trial. */
  observeMs: number;
  /** How long a release's probe may take, unless its manifest says less. */
  probeTimeoutMs: number;
  /** How long a reboot may take to begin. */
  rebootMs: number;
  /** Pause between two looks at whether an update may go on. */
  lookMs: number;
  /** An update whose contents do not come for so long lets others go first. */
  stuckMs: number;
  /** Orders that may wait beside the one under way. */
  maxWaiting: number;
}

/** What the end of an order is for the gateway. */
export interface EndReport {
  orderId: string;
  status: 'started' | 'succeeded' | 'failed' | 'cancelled' | 'indeterminate';
  attempt?: number;
  result?: unknown;
  error?: { code: string; message: string };
}

/** Everything that the engine stands on. */
export interface EnginePorts {
  journal: Journal;
  /** Where the release of an update comes from. */
  sourceOf(update: UpdateState): ReleaseSource;
  kindOf(plan: Pick<PlannedRelease, 'kind'>): ReleaseKind | undefined;
  /** What the device's policy has against a release, now that it is known what it is. */
  judge(plan: PlannedRelease, order: UpdateClaims): Promise<{ code: string; message: string } | undefined>;
  /** Windows, holds, sessions, as they are now. */
  circumstances(): Promise<Omit<SwitchView, 'waitedMs' | 'linkDown'>>;
  /** Whether this device is among those that an order is for by its claim `rollout`. */
  isInRollout(order: UpdateClaims): boolean;
  /** Resolves once the gateway has it on disk, through its restarts. @throws its final refusal; when the app ends. */
  report(report: EndReport): Promise<void>;
  /** The same for an event. */
  tell(id: string, event: Omit<Event, 'at'>): Promise<void>;
  /** To whoever watches. May be lost. */
  progress(orderId: string, figures: ProgressFigures): void;
  /** What is being tried out, at each look; undefined: nothing any more. May be lost. */
  onTrial(trial: TrialView | undefined): void;
  /** The journal has more than before. */
  changed(): void;
  /** The link to the cloud is up. */
  isOnline(): boolean;
  /** Address of the server of the link; undefined while the gateway does not say. */
  linkServer(): Promise<string | undefined>;
  /** A probe that takes another way than the link: whether the server answers at all. */
  outsideReaches(signal: AbortSignal): Promise<boolean>;
  bootId: string;
  clock: Clock;
  log: Logger;
  random(): number;
  newId(): string;
  limits: EngineLimits;
  /** Where a test may end the process. */
  checkpoint?: (where: string) => void;
}
