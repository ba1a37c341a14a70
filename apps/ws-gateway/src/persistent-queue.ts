import { join } from 'node:path';
import { openQueue, type DurableQueue } from '@bowline/durable-queue';
import type { Clock } from '@bowline/runtime';
import type { GatewayConfig } from './config.ts';

/** Opens the store of this device: outbox lanes, journal, dead letters, ledger (docs/architecture.md, the store). */
export function openPersistentQueue({ stateDir, queue }: GatewayConfig, clock: Clock): Promise<DurableQueue> {
  return openQueue({ folder: join(stateDir, 'store'), wallMs: () => clock.wallMs(), lanes: queue });
}
