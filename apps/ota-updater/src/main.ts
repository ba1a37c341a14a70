import { release } from 'node:os';
import { join } from 'node:path';
import { connectHub } from '@bowline/ipc';
import { AGENT_VERSION, bootId, onceDurably, retry, runApp, waitForLock } from '@bowline/runtime';
import { CancelledError } from '@bowline/runtime/errors';
import { v7 as newId } from 'uuid';
import { checkStateFolder } from './adapters/state-folder.ts';
import type { UpdaterConfig } from './config.ts';
import { softwareKey, softwareRunning } from './core/software-running.ts';
import { config as validateConfig } from './generated/config.js';

const APP = 'ota-updater';

await runApp<UpdaterConfig>({
  app: APP,
  version: AGENT_VERSION,
  validateConfig,
  start: async ({ config, log, clock, ready, signal }) => {
    checkStateFolder(config.stateDir);
    const lock = await waitForLock(join(config.stateDir, 'lock'), { log, signal });
    const client = connectHub({
      folder: config.hubFolder,
      owner: config.hubOwner,
      app: APP,
      version: AGENT_VERSION,
      orderTypes: [],
      log,
      clock,
    });
    const software = {
      version: AGENT_VERSION,
      node: process.version,
      kernel: release(),
      platform: process.platform,
      arch: process.arch,
      bootId: bootId(),
    };
    const report = (id: string) => {
      const sentAt = Math.round(clock.wallMs());
      const payload = softwareRunning(software, sentAt);
      return retry(() => client.enqueue([{ id, type: 'event', sentAt, payload }], { signal }), {
        clock,
        signal,
      });
    };
    const reporting = onceDurably(
      join(config.stateDir, 'reported.json'),
      softwareKey(software),
      newId,
      report,
    )
      .then((now) => log.info({ ...software, reported: now }, 'software running'))
      .catch((error: unknown) => {
        if (!(error instanceof CancelledError)) throw error;
      });
    ready();

    return {
      stop: async () => {
        await reporting;
        client.close();
        lock.release();
      },
    };
  },
});
