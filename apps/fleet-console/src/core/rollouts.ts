import type { Rollout } from '@bowline/messages';
import { waitingOf } from '@bowline/messages/rollout-waiting';

/** One kind of end, or of not having ended, and how many devices it is true of. */
export interface Part {
  kind: 'done' | 'failed' | 'given' | 'recalled' | 'waiting';
  word: string;
  devices: number;
}

/** Where the devices of a rollout stand, each counted once, in the order in which they are drawn. */
export function partsOf(rollout: Rollout): Part[] {
  const { succeeded, failed, given, recalled } = rollout;
  return [
    { kind: 'done', word: 'done', devices: succeeded },
    { kind: 'failed', word: 'failed', devices: failed },
    { kind: 'given', word: 'under way', devices: given },
    { kind: 'recalled', word: 'called off', devices: recalled },
    { kind: 'waiting', word: 'waiting', devices: waitingOf(rollout) },
  ];
}

export type RolloutStanding = 'running' | 'unsigned' | 'done' | 'paused' | 'stopped';

/** `unsigned`: it runs, but nobody is given it any more. */
export function standingOf(rollout: Rollout, now: number): RolloutStanding {
  const { status, devices, succeeded, failed, signedUntil } = rollout;
  if (status !== 'running') return status;
  if (devices > 0 && succeeded + failed === devices) return 'done';
  return signedUntil > now ? 'running' : 'unsigned';
}

/** Shares that one usually goes through, in percent. */
const SHARES = [1, 5, 10, 25, 50, 100];
export const nextShare = (percent: number): number | undefined => SHARES.find((share) => share > percent);

export interface SignedStep {
  what: string;
  command: string;
}

/** What takes a signature, which this page cannot give: to be run where the key is. */
export function signedSteps(rollout: Rollout, now: number, signerUrl: string | undefined): SignedStep[] {
  const { rolloutId, percent } = rollout;
  const standing = standingOf(rollout, now);
  if (standing === 'stopped') return [];
  const by = signerUrl === undefined ? '--sign KEY' : `--signer ${signerUrl}`;
  const step = (what: string, words: string) => ({
    what,
    command: `npx bowline fleet rollout ${words} ${by}`,
  });
  const next = nextShare(percent);
  return [
    ...(standing === 'paused' || standing === 'unsigned' || rollout.recalled > 0
      ? [step(`To go on at ${percent} %`, `go-on ${rolloutId}`)]
      : []),
    ...(next === undefined ? [] : [step('To widen it', `widen ${rolloutId} ${next}`)]),
  ];
}

/** What can still change first. */
export const inOrder = (rollouts: readonly Rollout[]): Rollout[] =>
  rollouts.toSorted((a, b) => Number(a.status === 'stopped') - Number(b.status === 'stopped'));
