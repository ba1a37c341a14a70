/** A moment on the clock that counts from the boot, and the boot that it counts from: goes on over a restart of the process. */
export interface BootMoment {
  bootId: string;
  monotonicMs: number;
}

/** What one app has against a document. */
export interface ConfigError {
  app: string;
  key: string;
  message: string;
}

/** The gateway's own local override, on trial: the document stays what it is. */
export interface OverrideTrial {
  to: Record<string, unknown>;
  from: Record<string, unknown>;
}

interface UnderWay {
  /** The order that asked for it; absent: a person at the device did. */
  orderId?: string;
  /** What is to be in force. */
  version: number;
  /** What was, and is again if anything fails; 0: no document. */
  previous: number;
  /** Only a link that was made under it keeps it. */
  needsLink: boolean;
  /** Absent: it is about documents. */
  override?: OverrideTrial;
}

/**
 * Where the device stands with the documents of the cloud. Durable before each effect, so that whoever starts after a crash
 * knows what to bring the apps to:
 *
 * - `settled`: this version is in force, nothing is under way;
 * - `applying`: `version` goes to the apps, and is kept if all of them and, where it matters, the link have it in time;
 * - `returning`: something failed, `previous` goes to the apps.
 */
export type ConfigStep =
  | { phase: 'settled'; version: number }
  | (UnderWay & { phase: 'applying'; until: BootMoment })
  | (UnderWay & { phase: 'returning'; errors: ConfigError[] });

export type ConfigStepEvent =
  | {
      type: 'begun';
      orderId: string | undefined;
      version: number;
      needsLink: boolean;
      until: BootMoment;
      override?: OverrideTrial;
    }
  /** All apps have it, and the link stands where it was needed. */
  | { type: 'reached' }
  | { type: 'failed'; errors: ConfigError[] }
  /** All apps that are here have `previous` again. */
  | { type: 'returned' }
  /** The gateway started. @param applyWithinMs how long what needs no link may take from now on, if nobody knows how long it took. */
  | { type: 'restarted'; now: BootMoment; applyWithinMs: number };

/** The one transition function. An event that means nothing in a phase changes nothing. */
export function transition(step: ConfigStep, event: ConfigStepEvent): ConfigStep {
  switch (step.phase) {
    case 'settled': {
      if (event.type !== 'begun') return step;
      const { type: _, orderId, version, ...how } = event;
      const order = orderId === undefined ? {} : { orderId };
      return { phase: 'applying', ...order, version, previous: step.version, ...how };
    }
    case 'applying':
      return transitionApplying(step, event);
    case 'returning':
      return event.type === 'returned' ? { phase: 'settled', version: step.previous } : step;
  }
}

function transitionApplying(
  step: Extract<ConfigStep, { phase: 'applying' }>,
  event: ConfigStepEvent,
): ConfigStep {
  switch (event.type) {
    case 'reached':
      return { phase: 'settled', version: step.version };
    case 'failed':
      return returning(step, event.errors);
    case 'restarted': {
      const { now, applyWithinMs } = event;
      if (remainingMs(step.until, now) > 0) return step;
      if (!step.needsLink) {
        const until = { bootId: now.bootId, monotonicMs: now.monotonicMs + applyWithinMs };
        return { ...step, until };
      }
      const message = 'the device or its gateway went down before a new link had proved the change';
      return returning(step, [{ app: 'ws-gateway', key: '', message }]);
    }
    default:
      return step;
  }
}

function returning(step: Extract<ConfigStep, { phase: 'applying' }>, errors: ConfigError[]): ConfigStep {
  const { until: _, ...underWay } = step;
  return { ...underWay, phase: 'returning', errors };
}

/** Nothing is left of a time that was measured in another boot: nobody knows how long the machine was off. */
export const remainingMs = (until: BootMoment, now: BootMoment): number =>
  until.bootId === now.bootId ? Math.max(0, until.monotonicMs - now.monotonicMs) : 0;

/** The version that the apps are to have; 0: none. */
export const inForce = (step: ConfigStep): number =>
  step.phase === 'returning' ? step.previous : step.version;

export type DocumentVerdict = 'new' | 'unchanged' | 'stale' | 'conflict';

/** What a document is to a device on which nothing is under way. @param same whether its sections are those in force. */
export function judgeDocument(held: number, version: number, same: boolean): DocumentVerdict {
  if (version < held) return 'stale';
  if (same) return 'unchanged';
  return version === held ? 'conflict' : 'new';
}
