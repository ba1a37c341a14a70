import type { Event } from '@bowline/messages';
import { BowlineError, CancelledError } from '@bowline/runtime';
import type { EndedUpdate } from '../core/update-state.ts';
import type { EndReport, EnginePorts } from './ports.ts';

/**
 * Hands the start of each update to the gateway, and its end, as the end of its order and as an event, until they are on its
 * disk. The work does not wait for that: what a person brings to a device with a broken gateway is installed.
 */
export class OutcomeTeller {
  readonly #ports: EnginePorts;
  readonly #starting = new Map<string, Promise<void>>();
  readonly #telling = new Map<string, Promise<void>>();
  #stopped = false;

  constructor(ports: EnginePorts) {
    this.#ports = ports;
  }

  /** Once in the life of this process. */
  tellStart(orderId: string): void {
    if (this.#stopped || this.#starting.has(orderId)) return;
    const { report, log } = this.#ports;
    const starting = report({ orderId, status: 'started', attempt: 1 }).catch((error: unknown) => {
      if (error instanceof CancelledError) return; // told by the next life
      log.warn({ orderId, error }, 'the gateway did not take the start of the update');
    });
    this.#starting.set(orderId, starting);
  }

  tell(state: EndedUpdate): void {
    const { orderId } = state;
    if (this.#stopped || this.#telling.has(orderId)) return;
    const telling = this.#tell(state)
      .catch((error: unknown) => {
        if (error instanceof CancelledError) return; // told by the next life
        this.#ports.log.error({ orderId, error }, 'the end of the update could not be told');
      })
      .finally(() => {
        this.#telling.delete(orderId);
        this.#starting.delete(orderId);
      });
    this.#telling.set(orderId, telling);
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await Promise.allSettled([...this.#starting.values(), ...this.#telling.values()]);
  }

  async #tell(state: EndedUpdate): Promise<void> {
    const { report, tell, journal, clock, log } = this.#ports;
    const { orderId, eventId } = state;
    await tell(eventId, eventOf(state));
    await this.#starting.get(orderId);
    try {
      await report(reportOf(state));
    } catch (error) {
      if (!(error instanceof BowlineError) || error.retryable || error instanceof CancelledError) throw error;
      // It has forgotten the order, or knows its end: nothing that a repetition would change.
      log.warn({ orderId, code: error.code }, `the gateway did not take the end: ${error.message}`);
    }
    const now = journal.ledger.update(orderId);
    if (now !== undefined && 'told' in now && !now.told)
      journal.append({ type: 'told', orderId, at: Math.round(clock.wallMs()) });
  }
}

/** How an update ended, as the end of its order. Pure. */
export function reportOf(state: EndedUpdate): EndReport {
  const { orderId } = state;
  const release = releaseOf(state);
  switch (state.phase) {
    case 'committed':
      return {
        orderId,
        status: 'succeeded',
        result: { ...release, changed: state.changed, ...startedOf(state) },
      };
    case 'previewed':
      return { orderId, status: 'succeeded', result: { preview: state.preview } };
    case 'cancelled':
      return { orderId, status: 'cancelled' };
    case 'rolled-back': {
      const { code, message, log } = state.failure;
      const { degraded } = state;
      const error = { code, message: `rolled back: ${message}` };
      const result = { ...release, phase: state.phase, ...(degraded === undefined ? {} : { degraded }) };
      return { orderId, status: 'failed', error, result: log === undefined ? result : { ...result, log } };
    }
    case 'failed': {
      const { code, message, log } = state.failure;
      const result = { ...release, phase: 'failed', ...(log === undefined ? {} : { log }) };
      return { orderId, status: 'failed', error: { code, message }, result };
    }
  }
}

function eventOf(state: EndedUpdate): Omit<Event, 'at'> {
  const { orderId } = state;
  const data = { orderId, ...releaseOf(state), ...('failure' in state ? { failure: state.failure } : {}) };
  if (state.phase !== 'rolled-back')
    return {
      kind: `update.${state.phase}`,
      severity: state.phase === 'failed' ? 'warning' : 'info',
      data,
    };
  const { degraded } = state;
  return degraded === undefined
    ? { kind: 'update.rolled-back', severity: 'error', data }
    : { kind: 'update.degraded', severity: 'critical', data: { ...data, degraded } };
}

const startedOf = ({ started }: { started?: boolean }) => (started === undefined ? {} : { started });

function releaseOf(state: EndedUpdate): Record<string, unknown> {
  const plan = 'plan' in state ? state.plan : undefined;
  if (plan === undefined) return {};
  const { name, version, kind, digest, totalBytes, reusedBytes } = plan;
  return { name, version, kind, digest, totalBytes, reusedBytes };
}
