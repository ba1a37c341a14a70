import { useEffect, useState } from 'preact/hooks';
import type { Rollout, RolloutReport } from '@bowline/messages';
import { count } from '../core/format.ts';
import { deviceFragment } from '../core/route.ts';
import { Ago } from './moment.tsx';
import { usePage } from './page-context.ts';

/** The devices on which it failed, with why; asked for once somebody wants to see them, and again when there are more. */
export function RolloutFailures({ rollout: { rolloutId, failed } }: { rollout: Rollout }) {
  const { fleet } = usePage();
  const [isOpen, setOpen] = useState(false);
  const [told, setTold] = useState<RolloutReport['onDevices'] | undefined>();
  const [problem, setProblem] = useState<string | undefined>();
  useEffect(() => {
    if (!isOpen) return;
    let wanted = true;
    fleet.rollout(rolloutId).then(
      ({ onDevices }) => {
        if (!wanted) return;
        setTold(onDevices);
        setProblem(undefined);
      },
      (error: unknown) => wanted && setProblem(error instanceof Error ? error.message : String(error)),
    );
    return () => {
      wanted = false;
    };
  }, [isOpen, rolloutId, failed]);
  if (failed === 0) return null;
  return (
    <details class="rollout-failures" onToggle={(event) => setOpen(event.currentTarget.open)}>
      <summary>Failed on {count(failed, 'device')}</summary>
      {problem !== undefined && <p class="problem">{problem}</p>}
      {told === undefined && problem === undefined && <p class="empty">Loading…</p>}
      <ul>
        {told?.map(({ deviceId, code, message, at }) => (
          <li key={deviceId}>
            <a href={deviceFragment(deviceId)}>{deviceId}</a> <span class="badge badge-bad">{code}</span>{' '}
            {message}{' '}
            <span class="quiet">
              <Ago at={at} /> ago
            </span>
          </li>
        ))}
      </ul>
      {told !== undefined && told.length < failed && <p class="quiet">and {failed - told.length} more</p>}
    </details>
  );
}
