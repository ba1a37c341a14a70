import { join } from 'node:path';
import type { InstalledRelease } from '@bowline/releases/device';
import { never, testDevice } from '@bowline/releases/testing';
import { work } from '../worker.ts';

export interface UpdateInput {
  repository: string;
  url: string;
  folder: string;
  version: string;
  installed?: InstalledRelease;
}

export interface Spent {
  wallMs: number;
  cpuMs: number;
}

export interface UpdateOutput {
  fetch: Spent;
  layOut: Spent;
  /** Most resident memory at any time above what there was before, bytes. */
  extraBytes: number;
  fetchBytes: number;
  totalBytes: number;
}

async function spent(act: () => Promise<unknown>): Promise<Spent> {
  const [from, cpu] = [performance.now(), process.cpuUsage()];
  await act();
  const { user, system } = process.cpuUsage(cpu);
  return { wallMs: performance.now() - from, cpuMs: (user + system) / 1000 };
}

/** The updater's half of an update, as ota-updater has it in its process. */
work({
  async update({ repository, url, folder, version, installed }: UpdateInput): Promise<UpdateOutput> {
    const device = testDevice({ urls: [url], folder, repository, installed });
    const before = process.memoryUsage.rss();
    const plan = await device.resolve({ version });
    const fetch = await spent(() => device.source.fetch(plan, () => {}, never));
    const layOut = await spent(() => device.source.stage(plan, join(folder, 'releases', version), never));
    device.close();
    const extraBytes = process.resourceUsage().maxRSS * 1024 - before;
    return { fetch, layOut, extraBytes, fetchBytes: plan.fetchBytes, totalBytes: plan.totalBytes };
  },
});
