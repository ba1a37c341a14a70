import { useState } from 'preact/hooks';
import type { Rollout } from '@bowline/messages';
import { usePage } from './page-context.ts';

type Halt = 'pause' | 'stop';

const WORDS: Record<Halt, { ask: string; sure: string; means: string }> = {
  pause: {
    ask: 'Pause',
    sure: 'Pause now',
    means: 'Nobody begins from now on, and what has not switched yet is called off.',
  },
  stop: {
    ask: 'Stop',
    sure: 'Stop for good',
    means: 'As a pause, and it cannot go on: another rollout must be begun.',
  },
};

/** Holding a rollout back takes no signature, but a second click, and a reason if one likes. */
export function HaltForm({ rollout, onChanged }: { rollout: Rollout; onChanged: () => void }) {
  const { fleet } = usePage();
  const [asked, setAsked] = useState<Halt | undefined>();
  const [reason, setReason] = useState('');
  const [state, setState] = useState<{ busy: boolean; problem?: string }>({ busy: false });
  const { rolloutId, status } = rollout;
  const done = () => {
    setAsked(undefined);
    setReason('');
    setState({ busy: false });
  };
  const halt = async (how: Halt): Promise<void> => {
    setState({ busy: true });
    try {
      await fleet.haltRollout(rolloutId, how, reason.trim());
      done();
      onChanged();
    } catch (error) {
      setState({ busy: false, problem: error instanceof Error ? error.message : String(error) });
    }
  };
  if (asked === undefined) {
    const halts: Halt[] = status === 'running' ? ['pause', 'stop'] : ['stop'];
    return (
      <div class="rollout-acts">
        {halts.map((how) => (
          <button
            key={how}
            type="button"
            aria-label={`${WORDS[how].ask} the rollout ${rolloutId}`}
            onClick={() => setAsked(how)}
          >
            {WORDS[how].ask}…
          </button>
        ))}
      </div>
    );
  }
  return (
    <form
      class="rollout-acts"
      onSubmit={(event) => {
        event.preventDefault();
        void halt(asked);
      }}
    >
      <label>
        <span>Reason, for the others</span>
        <input value={reason} maxLength={200} onInput={(event) => setReason(event.currentTarget.value)} />
      </label>
      <button type="submit" disabled={state.busy}>
        {WORDS[asked].sure}
      </button>
      <button type="button" class="plain" onClick={done}>
        Leave it
      </button>
      <p class="hint">{WORDS[asked].means}</p>
      {state.problem !== undefined && (
        <p class="problem" role="alert">
          {state.problem}
        </p>
      )}
    </form>
  );
}
