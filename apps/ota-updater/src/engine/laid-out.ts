import { mkdirSync, rmSync } from 'node:fs';
import { dirname } from 'node:path';
import { isLaidOut } from '@bowline/releases/device';
import { writeFileDurably } from '@bowline/runtime';
import { BowlineError } from '@bowline/runtime/errors';
import { readManifest } from '../adapters/installed-releases.ts';
import type { PlannedRelease } from '../core/update-state.ts';
import type { ReleasePlan, ReleaseSource } from '../supply/release-source.ts';

const manifestOf = (tree: string) => `${tree}.json`;

/**
 * Lays a release out, its manifest beside it. One that lies there already stays, as the one before the release in use does.
 *
 * @returns false if its contents must be fetched again.
 */
export async function layOutTree(
  source: ReleaseSource,
  plan: ReleasePlan,
  tree: string,
  { signal, checkpoint }: { signal: AbortSignal; checkpoint: (where: string) => void },
): Promise<boolean> {
  if (!(await isLaidOut(plan.manifest, tree, signal))) {
    rmSync(tree, { recursive: true, force: true });
    checkpoint('tree wiped');
    mkdirSync(dirname(tree), { recursive: true, mode: 0o755 });
    mkdirSync(tree, { mode: 0o755 });
    try {
      await source.stage(plan, tree, signal);
    } catch (error) {
      signal.throwIfAborted();
      if (error instanceof BowlineError && error.code === 'content-missing') return false;
      throw error;
    }
    checkpoint('tree laid out');
  }
  writeFileDurably(manifestOf(tree), JSON.stringify(plan.manifest), 0o644);
  return true;
}

/** Whether a tree is still what was laid out: it may have waited for days, or through a power cut. */
export async function isTreeSound(tree: string, signal: AbortSignal): Promise<boolean> {
  const manifest = readManifest(manifestOf(tree));
  return manifest !== undefined && isLaidOut(manifest, tree, signal);
}

/** How the release of a tree is asked whether it is well; undefined: it has no probe, or does not say. */
export const probeOf = (tree: string): PlannedRelease['probe'] => readManifest(manifestOf(tree))?.probe;
