import { BowlineError, TransientError, wait } from '@bowline/runtime';
import { progressOf } from '../core/progress.ts';
import type { Failure, UpdateState } from '../core/update-state.ts';
import type { ReleaseKind, Reboots } from '../kinds/release-kind.ts';
import type { EnginePorts } from './ports.ts';

type Forth = Extract<UpdateState, { phase: 'rebooting' }>;
type Back = Extract<UpdateState, { phase: 'rebooting-back' }>;

/** Reboots for the way back, if what was there before does not come up with the first one. */
const ATTEMPTS = 3;

/** Updates that take a reboot of the device: the id of the boot says whether it took place. */
export class Rebooting {
  readonly #ports: EnginePorts;

  constructor(ports: EnginePorts) {
    this.#ports = ports;
  }

  /** @returns why it must be rolled back; undefined: the device was rebooted, and the release is as it should be. */
  async forth(state: Forth, kind: ReleaseKind, signal: AbortSignal): Promise<Failure | undefined> {
    const reboots = rebootsOf(kind);
    const { plan, reboot, bootId } = state;
    if (bootId === this.#ports.bootId) {
      const begin = () => reboots.reboot(plan, reboot);
      const why = await failing(() => this.#untilDown(state, begin, signal), signal);
      return { code: 'reboot-failed', message: why ?? '', deny: true };
    }
    const why = await failing(() => reboots.verify(plan), signal);
    return why === undefined ? undefined : { code: 'verify-failed', message: why, deny: true };
  }

  /** One step of the way back; appends its record, or returns what the end is: why the device is degraded, if it is. */
  async back(
    state: Back,
    kind: ReleaseKind,
    signal: AbortSignal,
  ): Promise<{ degraded?: string } | undefined> {
    const reboots = rebootsOf(kind);
    const { plan, reboot = 'by-us', bootId, attempt } = state;
    if (bootId === this.#ports.bootId) {
      const why = await failing(
        () => this.#untilDown(state, () => reboots.rebootBack(plan, reboot), signal),
        signal,
      );
      return { degraded: `it was put back, and the device could not be rebooted: ${why ?? ''}` };
    }
    const why = await failing(() => reboots.verifyBack(plan), signal);
    if (why === undefined) return {};
    if (attempt >= ATTEMPTS)
      return { degraded: `it was put back, and is not well after ${attempt} reboots: ${why}` };
    const at = Math.round(this.#ports.clock.wallMs());
    const again = { type: 'rebooting-back', bootId: this.#ports.bootId, attempt: attempt + 1 } as const;
    this.#ports.journal.append({ orderId: state.orderId, at, ...again });
    return undefined;
  }

  /** Ends with the app, when the device goes down. @throws TransientError `not-rebooted` */
  async #untilDown(
    { orderId, phase }: Forth | Back,
    begin: () => Promise<void>,
    signal: AbortSignal,
  ): Promise<never> {
    const { clock, limits, log, progress } = this.#ports;
    progress(orderId, progressOf(phase, 0, { note: 'the device is being rebooted' }));
    log.info({ orderId, phase }, 'rebooting the device');
    await begin();
    await wait(clock, limits.rebootMs, signal);
    throw new TransientError('not-rebooted', `the device was not rebooted within ${limits.rebootMs} ms`);
  }
}

function rebootsOf({ reboots }: ReleaseKind): Reboots {
  if (reboots === undefined) throw new Error('this kind of release never reboots');
  return reboots;
}

/** @returns why it failed. @throws the reason of `signal`. */
async function failing(act: () => Promise<void>, signal: AbortSignal): Promise<string | undefined> {
  try {
    await act();
    return undefined;
  } catch (error) {
    signal.throwIfAborted();
    if (!(error instanceof BowlineError)) throw error;
    return error.message;
  }
}
