import type { Rollout } from '@bowline/messages';
import { whyNobody } from '@bowline/messages/rollout-waiting';
import { formatDuration, formatNumber } from '../core/format.ts';
import { partsOf, signedSteps, standingOf, type Part, type RolloutStanding } from '../core/rollouts.ts';
import { HaltForm } from './halt-form.tsx';
import { Moment } from './moment.tsx';
import { usePage } from './page-context.ts';
import { RolloutFailures } from './rollout-failures.tsx';

const BADGES: Record<RolloutStanding, { word: string; badge: string }> = {
  running: { word: 'running', badge: 'busy' },
  unsigned: { word: 'signature expired', badge: 'warning' },
  done: { word: 'done', badge: 'good' },
  paused: { word: 'paused', badge: 'warning' },
  stopped: { word: 'stopped', badge: 'quiet' },
};

export interface RolloutPanelProps {
  rollout: Rollout;
  signerUrl: string | undefined;
  onChanged: () => void;
}

/** One rollout: its share, where its devices stand, what holds it up, and what may be done about it. */
export function RolloutPanel({ rollout, signerUrl, onChanged }: RolloutPanelProps) {
  const { now, may } = usePage();
  const { rolloutId, name, version, digest, group, percent, devices, groupDevices, why } = rollout;
  const standing = standingOf(rollout, now);
  const nobody = whyNobody(rollout);
  const { word, badge } = BADGES[standing];
  const title = `rollout-${rolloutId}`;
  return (
    <section class="panel rollout" aria-labelledby={title}>
      <div class="panel-head">
        <h2 id={title}>
          {name} {version ?? digest?.slice(0, 12)} to {group}
        </h2>
        <span class={`badge badge-${badge}`}>{word}</span>
      </div>
      {why !== undefined && (
        <p class={standing === 'paused' ? 'concern-stuck' : 'quiet'}>
          {standing === 'paused' ? 'Paused: ' : 'Stopped: '}
          {why}
        </p>
      )}
      <p>
        <b>{formatNumber(percent)} %</b> of the group: {devices.toLocaleString('en-GB')} of{' '}
        {groupDevices.toLocaleString('en-GB')} devices
      </p>
      {nobody !== undefined && <p class="concern-stuck">Nobody is given it: {nobody}</p>}
      <Bar parts={partsOf(rollout)} />
      <RolloutFailures rollout={rollout} />
      <p class="quiet">
        {rolloutId} · by {rollout.by} since <Moment at={rollout.createdAt} />
        {standing !== 'stopped' && <Signed rollout={rollout} />}
      </p>
      {may('operator') && standing !== 'stopped' && (
        <>
          <HaltForm rollout={rollout} onChanged={onChanged} />
          {signedSteps(rollout, now, signerUrl).map(({ what, command }) => (
            <p key={command} class="hint">
              {what}: <code>{command}</code>
            </p>
          ))}
        </>
      )}
    </section>
  );
}

function Signed({ rollout: { signedUntil, maxFailedPercent } }: { rollout: Rollout }) {
  const { now } = usePage();
  return (
    <>
      {' '}
      · pauses by itself above {formatNumber(maxFailedPercent)} % failed ·{' '}
      {signedUntil > now ? (
        <>signed for {formatDuration(signedUntil - now)} more</>
      ) : (
        <>nobody is given it any more until it is signed anew</>
      )}
    </>
  );
}

/** Each device is somewhere in it; drawn as an image, since the policy of the page allows no style of its own. */
function Bar({ parts }: { parts: readonly Part[] }) {
  const all = Math.max(
    1,
    parts.reduce((sum, { devices }) => sum + devices, 0),
  );
  let from = 0;
  return (
    <>
      <svg class="rollout-bar" viewBox="0 0 100 1" preserveAspectRatio="none" aria-hidden="true">
        {parts.map(({ kind, devices }) => {
          const width = (devices / all) * 100;
          from += width;
          return <rect key={kind} class={`part part-${kind}`} x={from - width} width={width} height="1" />;
        })}
      </svg>
      <ul class="rollout-parts" aria-label="Its devices">
        {parts.map(({ kind, word, devices }) => (
          <li key={kind} class={devices === 0 ? 'quiet' : ''}>
            <span class={`part-mark part-mark-${kind}`} aria-hidden="true" />
            <b>{devices.toLocaleString('en-GB')}</b> {word}
          </li>
        ))}
      </ul>
    </>
  );
}
