import { inOrder } from '../core/rollouts.ts';
import { RolloutPanel } from './rollout-panel.tsx';
import { usePage } from './page-context.ts';
import { usePolled } from './use-polled.ts';

const LOOK_EVERY_MS = 2000;

export interface RolloutsPageProps {
  /** Origin of the signer, if there is one. */
  signerUrl: string | undefined;
  isStale: boolean;
}

/** Releases that go to a group of devices by and by: how far each is, and who may hold it back. */
export function RolloutsPage({ signerUrl, isStale }: RolloutsPageProps) {
  const { fleet, may } = usePage();
  const {
    value: rollouts,
    problem,
    look,
  } = usePolled(async () => inOrder(await fleet.rollouts()), LOOK_EVERY_MS);
  return (
    <main
      id="rollouts"
      class={`rollouts${isStale || problem !== undefined ? ' is-stale' : ''}`}
      tabIndex={-1}
    >
      <h1>Rollouts</h1>
      {problem !== undefined && <p class="problem">The rollouts could not be loaded: {problem}</p>}
      {rollouts === undefined && problem === undefined && <p class="empty">Loading…</p>}
      {rollouts?.length === 0 && <NoneYet />}
      {rollouts?.map((rollout) => (
        <RolloutPanel
          key={rollout.rolloutId}
          rollout={rollout}
          signerUrl={signerUrl}
          onChanged={() => void look()}
        />
      ))}
      {may('operator') && rollouts !== undefined && rollouts.length > 0 && (
        <p class="hint">Beginning, widening and going on take a signature, which this page cannot give.</p>
      )}
    </main>
  );
}

function NoneYet() {
  return (
    <div class="panel">
      <p class="empty">No release has been rolled out in stages yet. Where the key for updates is:</p>
      <pre tabIndex={0} aria-label="Command that begins a rollout">
        <code>npx bowline fleet rollout start NAME VERSION --group GROUP --percent 1 --sign KEY</code>
      </pre>
    </div>
  );
}
