import type { ConfigFault, LiveConfig } from '@bowline/runtime';
import { RejectedError } from '@bowline/runtime/errors';
import { Refusal } from './config-refusal.ts';
import type { ConfigError } from './config-step.ts';

const GATEWAY = 'ws-gateway';

export interface OwnOverridePorts {
  live: Pick<
    LiveConfig<unknown>,
    'override' | 'judgeOverride' | 'changeByOverride' | 'takeOverride' | 'hash' | 'setHash'
  >;
  /** Ends this process in good order, to be started anew. */
  restart(reason: string): void;
}

/** The gateway's own local override (docs/configuration.md). */
export class OwnOverride {
  readonly #ports: OwnOverridePorts;

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

  /** What would change, and whether that carries the link. @throws Refusal */
  judge(override: Record<string, unknown>): { changes: boolean; link: boolean } {
    const faults = this.#ports.live.judgeOverride(override);
    if (faults.length > 0) throw new Refusal(faults.map(ofGateway));
    const { keys, link } = this.#ports.live.changeByOverride(override);
    return { changes: keys.length > 0, link: link.length > 0 };
  }

  /** @returns whether the gateway must start anew for it: the caller says when. @throws Refusal */
  async take(
    override: Record<string, unknown>,
    insteadOf?: { override: Record<string, unknown>; why: string },
  ): Promise<boolean> {
    try {
      const { restart } = await this.#ports.live.takeOverride(override, insteadOf);
      return restart.length > 0;
    } catch (error) {
      if (!(error instanceof RejectedError)) throw error;
      throw new Refusal([{ app: GATEWAY, key: '', message: error.message }]);
    }
  }

  restart(): void {
    this.#ports.restart('the local override changed');
  }
}

const ofGateway = (fault: ConfigFault): ConfigError => ({ app: GATEWAY, ...fault });
