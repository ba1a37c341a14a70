import {
  wait,
  type Clock,
  type ConfigChange,
  type ConfigFault,
  type LiveConfig,
  type Logger,
} from '@bowline/runtime';
import { RejectedError } from '@bowline/runtime/errors';
import { Refusal } from './config-refusal.ts';
import type { ConfigError, OverrideTrial } from './config-step.ts';
import { TRY_AGAIN_MS } from './durable-steps.ts';

const GATEWAY = 'ws-gateway';
/** Of the folder that remembers what is on trial, and what does not count. */
const MEMORY = 'stateDir';

/** Why a change of these keys cannot be tried out; empty: it can, or it carries no link. */
export function untriable({ keys, link }: Pick<ConfigChange, 'keys' | 'link'>): ConfigFault[] {
  if (link.length === 0 || !keys.includes(MEMORY)) return [];
  const message = `cannot be changed together with ${link.join(', ')}: a trial is remembered in that folder. Set them one after the other`;
  return [{ key: MEMORY, message }];
}

export interface OwnOverridePorts {
  live: Pick<
    LiveConfig<unknown>,
    | 'override'
    | 'judgeOverride'
    | 'changeByOverride'
    | 'takeOverride'
    | 'goBackToOverride'
    | 'refuseOverride'
    | 'forgetRefused'
    | 'hash'
    | 'setHash'
  >;
  clock: Clock;
  log: Logger;
  /** Ends this process in good order, to be started anew. */
  restart(reason: string): void;
}

/** The gateway's own local override (docs/configuration.md). */
export class OwnOverride {
  readonly #ports: OwnOverridePorts;
  /** What was gone back to takes effect when the gateway starts. */
  #mustRestart = false;

  constructor(ports: OwnOverridePorts) {
    this.#ports = ports;
  }

  get inForce(): Record<string, unknown> {
    return this.#ports.live.override;
  }

  get hashes(): { hash: string; setHash: string } {
    const { hash, setHash } = this.#ports.live;
    return { hash, setHash };
  }

  /** What would change, and whether that carries the link. @param tried whether it would have to prove itself. @throws Refusal */
  judge(override: Record<string, unknown>, tried: boolean): { changes: boolean; link: boolean } {
    const { live } = this.#ports;
    const refuseFor = (faults: ConfigFault[]) => {
      if (faults.length > 0) throw new Refusal(faults.map(ofGateway));
    };
    refuseFor(live.judgeOverride(override));
    const change = live.changeByOverride(override);
    if (tried) refuseFor(untriable(change));
    return { changes: change.keys.length > 0, link: change.link.length > 0 };
  }

  /** @returns whether the gateway must start anew for it: the caller says when. @throws Refusal */
  async take(override: Record<string, unknown>): Promise<boolean> {
    try {
      const { restart } = await this.#ports.live.takeOverride(override);
      return restart.length > 0;
    } catch (error) {
      if (!(error instanceof RejectedError)) throw error;
      throw new Refusal([{ app: GATEWAY, key: '', message: error.message }]);
    }
  }

  /** What was before the trial is in force at once: on a full disk only the link may make room. */
  async goBack({ from }: OverrideTrial): Promise<void> {
    const { live, log } = this.#ports;
    try {
      const { restart } = await live.goBackToOverride(from);
      if (restart.length > 0) this.#mustRestart = true;
    } catch (error) {
      if (!(error instanceof RejectedError)) throw error;
      // It was in force when the trial began: only what is set above it can have changed since.
      log.error({ why: error.message }, 'a local override could not be taken back');
    }
  }

  /** Returns when it is durable that what was tried does not count, however long the disk does not take it. */
  async refuse({ to, from }: OverrideTrial, why: string): Promise<void> {
    const { live, clock, log } = this.#ports;
    for (;;) {
      try {
        return await live.refuseOverride(to, from, why);
      } catch (error) {
        if (!(error instanceof RejectedError)) throw error;
        log.error({ why: error.message }, 'a local override was taken back, and would count at a start');
        await wait(clock, TRY_AGAIN_MS);
      }
    }
  }

  /** While nothing is on trial. What cannot be written now is tried again at the next call. */
  forgetRefused(): void {
    const { live, log } = this.#ports;
    try {
      live.forgetRefused();
    } catch (error) {
      if (!(error instanceof RejectedError)) throw error;
      log.warn({ why: error.message }, 'what was refused of the local override could not be forgotten');
    }
  }

  /** For what was gone back to, where it needs that. */
  restartIfNeeded(): void {
    if (this.#mustRestart) setImmediate(() => this.restart()); // the answer goes first
  }

  restart(): void {
    this.#ports.restart('the local override changed');
  }
}

const ofGateway = (fault: ConfigFault): ConfigError => ({ app: GATEWAY, ...fault });
