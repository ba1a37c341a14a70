import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { startProcess, temporaryFolder } from '@bowline/testing';
import { expect } from 'vitest';

/** It ends what hangs, on whatever machine, and decides nothing else. */
export const CAMPAIGN_MS = 600_000;

/** Runs a campaign in the short form that is a test. It must find nothing. @returns what it reports. */
export async function shortForm(campaign: string, ...options: string[]): Promise<Record<string, unknown>> {
  const json = join(temporaryFolder(), `${campaign}.json`);
  const args = [join(import.meta.dirname, 'main.ts'), campaign, ...options, '--json', json, '--no-build'];
  const child = startProcess(process.execPath, args);
  const { code } = await child.exited;
  expect(code, child.stdout() + child.stderr()).toBe(0);
  return JSON.parse(readFileSync(json, 'utf8')) as Record<string, unknown>;
}
