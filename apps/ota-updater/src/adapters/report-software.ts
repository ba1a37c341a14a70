import { release } from 'node:os';
import { join } from 'node:path';
import { reportDurably, type HubMember } from '@bowline/device-app';
import { AGENT_VERSION, bootId, type Clock, type Logger } from '@bowline/runtime';
import { softwareKey, softwareRunning } from '../core/software-running.ts';

/** Tells what runs on this device, once for a boot and version. Resolves when the gateway has it, or when the app ends. */
export async function reportSoftware(
  { stateDir }: { stateDir: string },
  { hub, log, clock, signal }: { hub: HubMember; log: Logger; clock: Clock; signal: AbortSignal },
): Promise<void> {
  const software = {
    version: AGENT_VERSION,
    node: process.version,
    kernel: release(),
    platform: process.platform,
    arch: process.arch,
    bootId: bootId(),
  };
  const reported = await reportDurably(
    {
      file: join(stateDir, 'reported.json'),
      key: softwareKey(software),
      event: (at) => softwareRunning(software, at),
    },
    { client: hub.client, clock, signal },
  );
  log.info({ ...software, reported }, 'software running');
}
